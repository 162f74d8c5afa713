import { currentBroker } from "./test-server-broker.ts";

/** Jest calls this once a run, after the last test. */
// oxlint-disable-next-line import/no-default-export
export default async function tearDown(): Promise<void> {
  await currentBroker()?.[Symbol.asyncDispose]();
}
