import { timestampFromDate, timestampMs, type Timestamp } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "@jest/globals";
import type { ModelCacheEntry } from "@kindred/contracts/generation-tracking/v1";
import { useFixture } from "./use-fixture.ts";

const fixture = useFixture();

const MIB = 2n ** 20n;
const model = (cachePath: string, sizeBytes?: bigint) => ({
  modelType: "diffusion",
  modelName: "sd-1.5",
  cachePath,
  ...(sizeBytes !== undefined && { sizeBytes }),
});
const register = async (cachePath: string, sizeBytes?: bigint): Promise<ModelCacheEntry> =>
  (await fixture.modelCache.registerModel(model(cachePath, sizeBytes))).entry as ModelCacheEntry;
const list = async (): Promise<ModelCacheEntry[]> => (await fixture.modelCache.listModelCache({})).entries;
const ms = (time: Timestamp | undefined): number => timestampMs(time as Timestamp);

describe("registering", () => {
  test("makes an entry that was never used", async () => {
    const { entry, existing } = await fixture.modelCache.registerModel(model("/a", 3n * MIB));
    expect(existing).toBe(false);
    expect(entry).toMatchObject({ ...model("/a"), sizeMb: 3, accessCount: 0n });
    expect([entry?.lastAccessed, entry?.present, entry?.verifiedAt]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(await list()).toEqual([entry]);
  });

  test("the same type, name and path again: the same entry, with its uses and its new size, if that is known", async () => {
    const { id } = await register("/a", MIB);
    await fixture.modelCache.touchModel({ id, accesses: 3 });
    const { entry, existing } = await fixture.modelCache.registerModel(model("/a", 2n * MIB));
    expect({ existing, entry }).toMatchObject({ existing: true, entry: { id, sizeMb: 2, accessCount: 3n } });
    expect(await register("/a")).toMatchObject({ id, sizeMb: 2 });
    expect((await register("/b")).id).not.toBe(id);
  });

  test("of twenty calls at once, one makes it", async () => {
    const replies = await Promise.all(
      Array.from({ length: 20 }, () => fixture.modelCache.registerModel(model("/a", MIB))),
    );
    expect(replies.filter(({ existing }) => !existing)).toHaveLength(1);
    expect(await list()).toHaveLength(1);
  });
});

describe("touching", () => {
  test("uses from many clients all count, and say when it was last used", async () => {
    const { id } = await register("/a");
    await Promise.all(
      Array.from({ length: 20 }, async (_, i) => {
        for (let j = 0; j < 5; j++)
          await fixture.modelCache.touchModel({ id, ...(i % 2 && { accesses: 3 }) });
      }),
    );
    const [entry] = await list();
    expect(entry?.accessCount).toBe(200n);
    expect(Math.abs(ms(entry?.lastAccessed) - Date.now())).toBeLessThan(60_000);
  });

  test("a model that is not there", async () => {
    await expect(fixture.modelCache.touchModel({ id: 4711n })).rejects.toMatchObject({ kind: "not-found" });
  });
});

test("removing counts those that were there, each once", async () => {
  const [a, b, c] = [await register("/a"), await register("/b"), await register("/c")];
  expect(await fixture.modelCache.removeModels({ ids: [a.id, c.id, a.id, 4711n] })).toMatchObject({
    removed: 2n,
  });
  expect(await list()).toEqual([b]);
});

describe("what was found at the paths", () => {
  test("is kept with its time; sizes only where they are known; entries that are gone are left out", async () => {
    const [a, b] = [await register("/a", MIB), await register("/b", MIB)];
    const findings = [
      { id: a.id, present: true, sizeBytes: 5n * MIB },
      { id: b.id, present: false },
      { id: 4711n, present: true },
    ];
    expect(await fixture.modelCache.reportModelPaths({ findings })).toMatchObject({ updated: 2n });
    const found = new Map((await list()).map((entry) => [entry.id, entry]));
    expect(found.get(a.id)).toMatchObject({ present: true, sizeMb: 5 });
    expect(found.get(b.id)).toMatchObject({ present: false, sizeMb: 1 });
    expect(Math.abs(ms(found.get(b.id)?.verifiedAt) - Date.now())).toBeLessThan(60_000);
  });

  test("that it was missing is forgotten once it is registered again", async () => {
    const { id } = await register("/a", MIB);
    await fixture.modelCache.reportModelPaths({ findings: [{ id, present: false }] });
    expect((await list())[0]?.present).toBe(false);
    const again = await register("/a", MIB);
    expect([again.id, again.present, again.verifiedAt]).toEqual([id, undefined, undefined]);
    await fixture.modelCache.reportModelPaths({ findings: [{ id, present: true }] });
    expect((await register("/a", MIB)).present).toBe(true);
  });
});

test("reports of paths, uses and removals of the same models never wait for each other's rows, whatever their order", async () => {
  const events = Array.from({ length: 400 }, (_, i) => ({
    ...model("/a"),
    // In an order that is not that of their ids.
    modelName: `model-${String((i * 7919) % 400).padStart(3, "0")}`,
    accesses: 1,
  }));
  await fixture.modelCache.reportModelCache({ events: events.toReversed() });
  const ids = (await list()).map(({ id }) => id);
  const findings = ids.map((id) => ({ id, present: true }));
  for (let round = 0; round < 15; round++) {
    await Promise.all([
      fixture.modelCache.reportModelPaths({ findings }),
      fixture.modelCache.reportModelPaths({ findings: findings.toReversed() }),
      fixture.modelCache.reportModelCache({ events }),
      fixture.modelCache.reportModelCache({ events: events.toReversed() }),
    ]);
  }
  await Promise.all([
    fixture.modelCache.removeModels({ ids }),
    fixture.modelCache.removeModels({ ids: ids.toReversed() }),
    fixture.modelCache.reportModelPaths({ findings }),
  ]);
  expect(await list()).toEqual([]);
}, 60_000);

describe("advice", () => {
  test("names the least recently used ones, and deletes nothing", async () => {
    const event = (cachePath: string, sizeMib: bigint | undefined, day: string) => ({
      ...model(cachePath, sizeMib === undefined ? undefined : sizeMib * MIB),
      lastAccessed: timestampFromDate(new Date(`2026-03-${day}T00:00:00Z`)),
      accesses: 1,
    });
    await fixture.modelCache.reportModelCache({
      events: [
        event("/old", 10n, "01"),
        event("/older", 20n, "02"),
        event("/new", 40n, "03"),
        event("/unknown", undefined, "01"),
        { ...event("/other", 100n, "01"), modelType: "other" },
      ],
    });
    await register("/never", 5n * MIB);
    const advise = async (
      budgetMib: bigint,
      more: { keepUsedSince?: Timestamp; modelType?: string } = {},
    ) => {
      const { evict, ...advice } = await fixture.modelCache.adviseEviction({
        budgetBytes: budgetMib * MIB,
        modelType: "diffusion",
        ...more,
      });
      return { ...advice, evict: evict.map(({ cachePath }) => cachePath) };
    };
    expect(await advise(75n)).toMatchObject({
      evict: [],
      totalBytes: 75n * MIB,
      evictedBytes: 0n,
      unknownSizes: 1n,
      fits: true,
    });
    expect(await advise(60n)).toMatchObject({
      evict: ["/never", "/old"],
      evictedBytes: 15n * MIB,
      fits: true,
    });
    const keepUsedSince = timestampFromDate(new Date("2026-03-02T00:00:00Z"));
    expect(await advise(0n, { keepUsedSince })).toMatchObject({ evict: ["/never", "/old"], fits: false });
    expect(await advise(175n, { modelType: "" })).toMatchObject({
      totalBytes: 175n * MIB,
      unknownSizes: 1n,
      fits: true,
    });
    expect(await list()).toHaveLength(6);
  });

  test("does not count what was found missing, until it is used again", async () => {
    const { id } = await register("/gone", 10n * MIB);
    await fixture.modelCache.reportModelPaths({ findings: [{ id, present: false }] });
    const total = async () => (await fixture.modelCache.adviseEviction({ budgetBytes: 0n })).totalBytes;
    expect(await total()).toBe(0n);
    await fixture.modelCache.touchModel({ id });
    expect(await total()).toBe(10n * MIB);
  });
});
