import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@connectrpc/connect";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import {
  LineageService,
  OutputState,
  type ListOutputsRequest,
  type OutputFinding,
} from "@kindred/contracts/generation-tracking/v1";
import { KindredError } from "@kindred/errors";
import { createInMemoryTransport } from "@kindred/rpc";
import { silentLogger } from "@kindred/testing";
import { verifyOutputs, type VerifyOptions } from "./verify-outputs.ts";

const FILES = 1_200;

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "kindred-verify-"));
  for (const i of [1, 2, 3, FILES]) writeFileSync(join(root, `${i}.png`), String(i));
});
afterEach(() => rmSync(root, { recursive: true }));

/** A service with FILES generations of one output each; remembers what it is told. */
function openService(onReport: (findings: OutputFinding[]) => void = () => {}) {
  const reports: OutputFinding[][] = [];
  const asked: ListOutputsRequest[] = [];
  const transport = createInMemoryTransport(
    (router) =>
      router.service(LineageService, {
        listOutputs: (request) => {
          asked.push(request);
          const first =
            request.generationId === undefined ? Number(request.pageToken) : Number(request.generationId) - 1;
          const last =
            request.generationId === undefined ? Math.min(first + request.pageSize, FILES) : first + 1;
          return {
            outputs: Array.from({ length: last - first }, (_, i) => ({
              generationId: BigInt(first + i + 1),
              position: 1,
              output: { path: `${first + i + 1}.png` },
            })),
            nextPageToken: request.generationId === undefined && last < FILES ? String(last) : "",
          };
        },
        reportOutputs: ({ findings }) => {
          onReport(findings);
          reports.push(findings);
          return { updated: BigInt(findings.length) };
        },
      }),
    { logger: silentLogger() },
  );
  return { lineage: createClient(LineageService, transport), reports, asked };
}

const options = (changes: Partial<VerifyOptions> = {}): VerifyOptions => ({
  root,
  ids: [],
  state: OutputState.UNSPECIFIED,
  parallel: 4,
  report: true,
  ...changes,
});
const never = new AbortController().signal;

test("every output of every page is looked at once, and told once", async () => {
  const { lineage, reports } = openService();
  const counts = await verifyOutputs(options(), { lineage, signal: never, onFound: () => {} });
  expect(counts).toMatchObject({ looked: FILES, kept: 4, missing: FILES - 4, reported: FILES, bytes: 7 });
  const told = reports.flat().map(({ generationId }) => Number(generationId));
  expect(told.toSorted((a, b) => a - b)).toEqual(Array.from({ length: FILES }, (_, i) => i + 1));
  expect(reports.length).toBeLessThan(20);
  const kept = reports.flat().filter(({ state }) => state === OutputState.KEPT);
  expect(kept.map(({ sizeBytes, sha256 }) => [sizeBytes, sha256.length])).toEqual([
    [1n, 32],
    [1n, 32],
    [1n, 32],
    [4n, 32],
  ]);
});

test("only some generations, only one state, and nothing is told unless wanted", async () => {
  const { lineage, reports, asked } = openService();
  const found: string[] = [];
  const counts = await verifyOutputs(options({ ids: [3n, 9n], state: OutputState.MISSING, report: false }), {
    lineage,
    signal: never,
    onFound: ({ generationId }, { state }) => found.push(`${generationId} ${state}`),
  });
  expect(found.toSorted()).toEqual(["3 kept", "9 missing"]);
  expect(counts).toMatchObject({ looked: 2, reported: 0 });
  expect(reports).toEqual([]);
  expect(asked.map(({ state }) => state)).toEqual([OutputState.MISSING, OutputState.MISSING]);
});

test("what was found before it was stopped is told all the same", async () => {
  const { lineage, reports } = openService();
  const stop = new AbortController();
  const verifying = verifyOutputs(options(), {
    lineage,
    signal: stop.signal,
    onFound: (_, __, { looked }) => {
      if (looked === 700) stop.abort(new Error("stopped"));
    },
  });
  await expect(verifying).rejects.toThrow(/stopped|abort|cancel/i);
  const told = reports.flat().length;
  expect(told).toBeGreaterThanOrEqual(700);
  expect(told).toBeLessThan(FILES);
});

test("ends with the service's error when that takes nothing", async () => {
  const { lineage } = openService(() => {
    throw new KindredError("unavailable", "nobody there");
  });
  const verifying = verifyOutputs(options(), { lineage, signal: never, onFound: () => {} });
  await expect(verifying).rejects.toMatchObject({ kind: "unavailable" });
});
