import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { ServiceImpl } from "@connectrpc/connect";
import { loadConfig } from "@kindred/config";
import { GenerationService, GenerationStatus } from "@kindred/contracts/generation-tracking/v1";
import { KindredError } from "@kindred/errors";
import { serve, serverSettings } from "@kindred/rpc";
import { silentLogger } from "@kindred/testing";
import { runInProcess } from "../../test/run-in-process.ts";

let cleanup: AsyncDisposableStack;
beforeEach(() => void (cleanup = new AsyncDisposableStack()));
afterEach(() => cleanup.disposeAsync());

type SearchPrompts = NonNullable<Partial<ServiceImpl<typeof GenerationService>>["searchPrompts"]>;

/** `kindred generations search` against a service that answers so. */
async function searching(searchPrompts: SearchPrompts) {
  const server = cleanup.use(
    await serve({
      config: loadConfig(serverSettings({ grpcPort: 0, httpPort: 0 }), {}),
      logger: silentLogger(),
      routes: (router) => router.service(GenerationService, { searchPrompts }),
    }),
  );
  const url = `http://127.0.0.1:${server.httpPort}`;
  return (...args: string[]) =>
    runInProcess(["generations", "search", "--url", url, ...args], { KINDRED_HOME: "/nonexistent" });
}

const HITS = [
  {
    generation: { id: 17n, prompt: "a steam train on a frozen lake", status: GenerationStatus.COMPLETED },
    similarity: 0.81251,
  },
  { generation: { id: 4n, prompt: "a tram", status: GenerationStatus.FAILED }, similarity: 0.4 },
];

test("shows the nearest first, and passes on what was asked for", async () => {
  const asked: unknown[] = [];
  const search = await searching((request) => {
    const { query, k, threshold, filter } = request;
    asked.push({ query, k, threshold, status: filter?.status, rating: filter?.rating?.min });
    return { hits: HITS };
  });
  const { code, out, err } = await search(
    "a locomotive",
    "-k",
    "2",
    "--threshold",
    "0.25",
    "--status",
    "failed",
    "--rating",
    "4..",
  );
  expect(asked).toEqual([
    { query: "a locomotive", k: 2, threshold: 0.25, status: [GenerationStatus.FAILED], rating: 4 },
  ]);
  expect(code).toBe(0);
  const lines = out
    .trimEnd()
    .split("\n")
    .map((line) => line.trim().split(/\s{2,}/));
  expect(lines.slice(-2)).toEqual([
    ["0.813", "17", "completed", "a steam train on a frozen lake"],
    ["0.400", "4", "failed", "a tram"],
  ]);
  expect(err).toMatch(/^ 2 hits in /);
});

test("says what may be missing", async () => {
  const search = await searching(() => ({ hits: HITS.slice(0, 1), pending: 1200n, incomplete: true }));
  const { err } = await search("a locomotive");
  expect(err).toMatch(/1 hit in .*there may be more/);
  expect(err).toContain("1,200 recorded prompts cannot be found yet");
});

test("finding nothing is no failure; for programs it is an empty list", async () => {
  const search = await searching(() => ({}));
  expect(await search("a locomotive")).toMatchObject({ code: 0, out: " no prompt is like that\n" });
  const { out, err } = await search("a locomotive", "--json");
  expect(JSON.parse(out)).toEqual({ hits: [], pending: 0, incomplete: false });
  expect(err).toBe("");
});

test("says that the vector store is away, with the code for it", async () => {
  const search = await searching(() => {
    throw new KindredError("unavailable", "prompts cannot be searched: nobody there");
  });
  const { code, err } = await search("a locomotive", "--timeout", "1");
  expect(code).toBe(69);
  expect(err).toContain("prompts cannot be searched: nobody there");
});
