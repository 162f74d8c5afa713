import { expect, test } from "@jest/globals";
import { GenerationStatus, type Generation } from "@kindred/contracts/generation-tracking/v1";
import { generationVersions } from "../src/adapters/postgres/generation-versions.ts";
import { GenerationWatches } from "../src/domain/generation-watches.ts";
import { useFixture } from "./use-fixture.ts";

const fixture = useFixture();

const start = async (): Promise<bigint> =>
  (await fixture.client.startGeneration({ generation: { prompt: "a kite" } })).generation?.id ?? 0n;

test("a watcher sees it as it is, each change that lasts, and its end", async () => {
  const id = await start();
  const seen: (Generation | undefined)[] = [];
  for await (const { generation } of fixture.client.watchGeneration({ id })) {
    seen.push(generation);
    // Each is seen before the next one comes: between two looks only the last would be.
    if (seen.length === 1) await fixture.client.reportProgress({ id, progress: { done: 1, total: 2 } });
    if (seen.length === 2) {
      await fixture.client.updateGeneration({
        id,
        generation: { prompt: "", rating: 2 },
        updateMask: { paths: ["rating"] },
      });
    }
    if (seen.length === 3) await fixture.client.completeGeneration({ id, outputPath: "a.png" });
  }
  expect(seen.map((generation) => generation?.status)).toEqual([
    GenerationStatus.RUNNING,
    GenerationStatus.RUNNING,
    GenerationStatus.RUNNING,
    GenerationStatus.COMPLETED,
  ]);
  expect(seen.map((generation) => generation?.progress?.done)).toEqual([undefined, 1, 1, 1]);
  expect(seen[2]?.rating).toBe(2);
  expect(seen[3]).toEqual((await fixture.client.getGeneration({ id })).generation);
});

test("one that has ended is told once", async () => {
  const id = await start();
  await fixture.client.cancelGeneration({ id });
  const seen = await Array.fromAsync(fixture.client.watchGeneration({ id }));
  expect(seen).toMatchObject([{ generation: { status: GenerationStatus.CANCELLED } }]);
});

test("fifty watchers of ten generations all see their ends; their looks are shared", async () => {
  let looks = 0;
  const readVersions = generationVersions(fixture.db);
  const watches = new GenerationWatches({
    store: fixture.store,
    everyMs: 20,
    readVersions: (ids) => {
      looks++;
      return readVersions(ids);
    },
  });
  const ids = await Promise.all(Array.from({ length: 10 }, start));
  const watched = ids.flatMap((id) =>
    Array.from({ length: 5 }, async () => {
      const seen = await Array.fromAsync(watches.watch(id, new AbortController().signal));
      return { id, last: seen.at(-1) };
    }),
  );
  for (const id of ids) await fixture.client.failGeneration({ id, errorMessage: String(id) });
  for (const { id, last } of await Promise.all(watched))
    expect(last).toMatchObject({ id, status: "failed", errorMessage: String(id) });
  const before = looks;
  await new Promise((resolve) => setTimeout(resolve, 100));
  // Nobody watches any more.
  expect(looks).toBe(before);
});

test("deleting ends watching, and so does the end of the service; who gives up is let go", async () => {
  await expect(Array.fromAsync(fixture.client.watchGeneration({ id: 10n ** 15n }))).rejects.toMatchObject({
    kind: "not-found",
  });
  const deleted = await start();
  const [watching, deleting] = await Promise.allSettled([
    Array.fromAsync(fixture.client.watchGeneration({ id: deleted })),
    fixture.client.deleteGenerations({ ids: [deleted] }),
  ]);
  expect(deleting).toMatchObject({ status: "fulfilled" });
  expect(watching).toMatchObject({ status: "rejected", reason: { kind: "not-found" } });

  const id = await start();
  const giveUp = new AbortController();
  const seen: Generation[] = [];
  const given = (async () => {
    for await (const { generation } of fixture.client.watchGeneration({ id }, { signal: giveUp.signal })) {
      if (generation) seen.push(generation);
      giveUp.abort();
    }
  })();
  await expect(given).rejects.toMatchObject({ kind: "cancelled" });
  expect(seen).toHaveLength(1);

  const readVersions = generationVersions(fixture.db);
  const watches = new GenerationWatches({ store: fixture.store, everyMs: 20, readVersions });
  const iterator = watches.watch(id, new AbortController().signal);
  await iterator.next();
  const next = iterator.next();
  watches.end();
  await expect(next).rejects.toMatchObject({ kind: "unavailable", retryAfterMs: 1000 });
  await expect(watches.watch(id, new AbortController().signal).next()).rejects.toMatchObject({
    kind: "unavailable",
  });
});

test("who is still reading when the service ends is told, too", async () => {
  const watches = new GenerationWatches({
    store: fixture.store,
    everyMs: 20,
    readVersions: generationVersions(fixture.db),
  });
  const iterator = watches.watch(await start(), new AbortController().signal);
  await iterator.next();
  watches.end();
  await expect(iterator.next()).rejects.toMatchObject({ kind: "unavailable" });
});
