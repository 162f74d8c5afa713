import { createClient } from "@connectrpc/connect";
import { expect, test } from "@jest/globals";
import { LineageService, OutputState } from "@kindred/contracts/generation-tracking/v1";
import { createInMemoryTransport } from "@kindred/rpc";
import { silentLogger, untouchable, violationsOf } from "@kindred/testing";
import type { ExampleSource, LineageStore } from "../../domain/lineage/ports.ts";
import { addLineageService, type LineageDeps } from "./routes.ts";

/** Bad input is refused before a store is asked. */
const store = untouchable<LineageDeps["store"] & LineageStore & ExampleSource>("the store");
const transport = createInMemoryTransport(
  (router) => addLineageService(router, { store, lineage: store, examples: store }),
  { logger: silentLogger() },
);
const client = createClient(LineageService, transport);

const good = { generationId: 1n, position: 1, state: OutputState.KEPT };
const ahead = { seconds: BigInt(Math.floor(Date.now() / 1000) + 3600) };
const bad: [
  name: string,
  call: () => Promise<unknown>,
  ...violations: [field: string, description: string][],
][] = [
  ["no id", () => client.getLineage({}), ["id", "must be at least 1, is 0"]],
  [
    "too far",
    () => client.getLineage({ id: 1n, depth: 11 }),
    ["depth", "must be 1 to 10, or 0 for 3; is 11"],
  ],
  ["no image", () => client.listImageUses({}), ["image", "is required: image_id or image_path"]],
  [
    "an image's id of 0",
    () => client.listImageUses({ image: { case: "imageId", value: 0n }, pageSize: 1001 }),
    ["image_id", "must be at least 1, is 0"],
    ["page_size", "must be 1 to 1000, or 0 for 50; is 1001"],
  ],
  [
    "an empty path",
    () => client.listImageUses({ image: { case: "imagePath", value: "" } }),
    ["image_path", "must not be empty"],
  ],
  [
    "a token that is none",
    () => client.listImageUses({ image: { case: "imageId", value: 1n }, pageToken: "AAAA" }),
    [
      "page_token",
      "is not a token of this list: give next_page_token as it was returned, with the same filters",
    ],
  ],
  [
    "k of 1,001",
    () => client.replayRetrieval({ id: 1n, k: 1001 }),
    ["k", "must be 1 to 1000, or 0 for as many as then; is 1001"],
  ],
  [
    "two ids that are none",
    () => client.diffGenerations({ leftId: -1n }),
    ["left_id", "must be at least 1, is -1"],
    ["right_id", "must be at least 1, is 0"],
  ],
  [
    "bad conditions on outputs",
    () => client.listOutputs({ pageSize: 10_001, generationId: 0n, state: 9 as OutputState }),
    ["generation_id", "must be at least 1, is 0"],
    ["state", "must be a known OutputState, is 9"],
    ["page_size", "must be 1 to 10000, or 0 for 1000; is 10001"],
  ],
  ["no findings", () => client.reportOutputs({}), ["findings", "must be 1 to 10000, are 0"]],
  [
    "10,001 findings",
    () => client.reportOutputs({ findings: Array.from({ length: 10_001 }, () => ({})) }),
    ["findings", "must be 1 to 10000, are 10001"],
  ],
  [
    "a finding without anything",
    () => client.reportOutputs({ findings: [good, {}] }),
    ["findings[1].generation_id", "must be at least 1, is 0"],
    ["findings[1].position", "must be at least 1, is 0"],
    ["findings[1].state", "is required: kept, missing or changed"],
  ],
  [
    "a finding of nonsense",
    () =>
      client.reportOutputs({
        findings: [{ ...good, sizeBytes: -1n, sha256: new Uint8Array(31), verifiedAt: ahead }],
      }),
    ["findings[0].verified_at", "must not be in the future"],
    ["findings[0].size_bytes", "must not be negative, is -1"],
    ["findings[0].sha256", "must be 32 bytes, are 31"],
  ],
  [
    "two findings of one file",
    () =>
      client.reportOutputs({
        findings: [good, { ...good, position: 2 }, { ...good, state: OutputState.MISSING }],
      }),
    ["findings[2]", "is of the same output as findings[0]"],
  ],
];

test.each(bad)("%s", async (_, call, ...violations) => {
  expect(await violationsOf(call())).toEqual(
    violations.map(([field, description]) => ({ field, description })),
  );
});
