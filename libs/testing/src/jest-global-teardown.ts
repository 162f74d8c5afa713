import type {} from "./jest-global-setup.ts";

/** Jest calls this once a run, after the last test. */
// oxlint-disable-next-line import/no-default-export
export default async function tearDown(): Promise<void> {
  await globalThis.kindredTestServerBroker?.[Symbol.asyncDispose]();
}
