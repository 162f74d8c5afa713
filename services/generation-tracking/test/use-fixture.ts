import { afterAll, beforeAll, beforeEach } from "@jest/globals";
import { openFixture, type Fixture } from "./fixture.ts";

export type UseFixtureOptions = Parameters<typeof openFixture>[0] & { clear?: boolean };

/**
 * One fixture for all tests of the file that calls this at its top: opened before the first, closed after the last. Until it is open it has
 * no members, and so what else is made before the first test has to be made in a beforeAll of its own.
 * @param options.clear whether each test begins with empty tables (default true)
 */
export function useFixture({ clear = true, ...options }: UseFixtureOptions = {}): Fixture {
  const fixture = {} as Fixture;
  const closing = new AsyncDisposableStack();
  beforeAll(async () => {
    Object.assign(fixture, closing.use(await openFixture(options)));
  }, 120_000);
  afterAll(() => closing.disposeAsync());
  if (clear) beforeEach(() => fixture.clear());
  return fixture;
}
