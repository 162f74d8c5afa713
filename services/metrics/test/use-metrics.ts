import { afterAll, beforeAll, beforeEach } from "@jest/globals";
import { startMetrics, type MetricsFixture } from "./metrics-fixture.ts";

/**
 * One fixture for all tests of the file that calls this at its top: started before the first, emptied before each, ended after the last. Until
 * it has started it has no members.
 */
export function useMetrics(options?: Parameters<typeof startMetrics>[0]): MetricsFixture {
  const fixture = {} as MetricsFixture;
  const closing = new AsyncDisposableStack();
  beforeAll(async () => {
    Object.assign(fixture, closing.use(await startMetrics(options)));
  }, 120_000);
  afterAll(() => closing.disposeAsync());
  beforeEach(() => fixture.clear());
  return fixture;
}
