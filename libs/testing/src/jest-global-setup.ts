import { BROKER_VARIABLE, startTestServerBroker, type TestServerBroker } from "./test-server-broker.ts";

declare global {
  var kindredTestServerBroker: TestServerBroker | undefined;
}

/** Jest calls this once a run, before it starts its workers: they inherit the variable. */
// oxlint-disable-next-line import/no-default-export
export default async function setUp(): Promise<void> {
  globalThis.kindredTestServerBroker = await startTestServerBroker();
  process.env[BROKER_VARIABLE] = globalThis.kindredTestServerBroker.url;
}
