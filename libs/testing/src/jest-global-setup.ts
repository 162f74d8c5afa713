import { startTestServerBroker } from "./test-server-broker.ts";

/** Jest calls this once a run, before it starts its workers: they inherit the variable. */
// oxlint-disable-next-line import/no-default-export
export default async function setUp(): Promise<void> {
  await startTestServerBroker();
}
