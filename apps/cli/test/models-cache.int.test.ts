import { link, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { startStack, type Stack } from "@kindred/testing";
import { runInProcess } from "./run-in-process.ts";

const KIB = 1024;

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({ services: ["generation-tracking"] });
}, 180_000);
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
});

let folder: string;
let cache: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "kindred-models-cache-"));
  cache = join(folder, "cache");
  await mkdir(cache);
});
afterEach(async () => {
  const ids = (await entries()).map(({ id }) => String(id));
  if (ids.length > 0) await plain("remove", ...ids);
  await rm(folder, { recursive: true, force: true });
});

interface Entry {
  id: number;
  cache_path: string;
  size_mb?: number;
  access_count: number;
  present?: boolean;
  state?: string;
  reason?: string;
}

const models = (...args: string[]) =>
  runInProcess(["models-cache", ...args, "--url", stack.httpUrls["generation-tracking"] as string], {
    KINDRED_HOME: folder,
    KINDRED_CACHE_DIR: cache,
  });
const plain = async (...args: string[]): Promise<Record<string, unknown>> => {
  const { code, out, err } = await models(...args, "--json");
  expect({ args, code, err }).toEqual({ args, code: 0, err: "" });
  return JSON.parse(out) as Record<string, unknown>;
};
const entries = async () => (await plain("list"))["entries"] as Entry[];

/** A model of two files, one of which has two names. */
async function model(name: string, kib: number, root = cache): Promise<Entry> {
  const path = join(root, name);
  await mkdir(path, { recursive: true });
  await writeFile(join(path, "weights.bin"), Buffer.alloc((kib - 1) * KIB));
  await writeFile(join(path, "config.json"), Buffer.alloc(KIB));
  await link(join(path, "weights.bin"), join(path, "same-weights.bin"));
  return (await plain("register", path, "--type", "diffusion", "--name", name)) as unknown as Entry;
}

test("registering measures what is there; uses are counted; removing leaves files", async () => {
  const registered = await model("sd", 512);
  expect(registered).toMatchObject({ size_mb: 0.5, access_count: 0, existing: false });
  expect(await plain("touch", String(registered.id), "--uses", "7")).toMatchObject({ access_count: 7 });
  const { out } = await models("list");
  expect(out).toMatch(/^ +\d+ +diffusion +sd +512\.0 KiB +7 +(just now|\d+ s ago) .*cache\/sd$/m);
  const elsewhere = await models("register", "/nowhere/at/all", "--type", "t", "--name", "n");
  expect([elsewhere.code, elsewhere.err]).toEqual([0, expect.stringContaining("its size is not known")]);
  expect(
    await plain("register", "/nowhere/at/all", "--type", "t", "--name", "n", "--size", "2MiB"),
  ).toMatchObject({
    size_mb: 2,
    existing: true,
  });
  const removed = await models("remove", String(registered.id), "999999999");
  expect(removed.out).toContain("removed: 1 of 2 ids");
  expect(await readdir(join(cache, "sd"))).toHaveLength(3);
  const none = await models("touch", String(registered.id));
  expect([none.code, none.err]).toEqual([1, expect.stringContaining("there is no model")]);
});

test("verifying looks where it runs: what is there with its size, what is missing", async () => {
  const kept = await model("kept", 64);
  const gone = await model("gone", 64);
  await rm(gone.cache_path, { recursive: true });
  await writeFile(join(kept.cache_path, "more.bin"), Buffer.alloc(64 * KIB));
  const silent = await models("verify", "--no-report");
  expect(silent.code).toBe(65);
  expect((await entries()).every(({ present }) => present === undefined)).toBe(true);

  const { code, out } = await models("verify", "--json");
  expect(code).toBe(65);
  expect(JSON.parse(out)).toMatchObject({
    looked: 2,
    present: 1,
    missing: 1,
    unreadable: 0,
    reported: 2,
    models: expect.arrayContaining([
      { id: kept.id, cache_path: kept.cache_path, state: "present", size_bytes: 128 * KIB },
      { id: gone.id, cache_path: gone.cache_path, state: "missing" },
    ]),
  });
  const found = new Map((await entries()).map((entry) => [entry.id, entry]));
  expect(found.get(kept.id)).toMatchObject({ present: true, size_mb: 0.125 });
  expect(found.get(gone.id)).toMatchObject({ present: false, size_mb: 0.0625 });
  expect((await models("verify")).out).toMatch(/2 models: 1 there, 1 missing/);
  await plain("remove", String(gone.id));
  expect(await models("verify")).toMatchObject({ code: 0, out: " 1 model: 1 there\n" });
});

describe("evicting", () => {
  const evict = async (...args: string[]) => {
    const { code, out, err } = await models("evict", ...args, "--json");
    return { code, err, reply: out === "" ? undefined : (JSON.parse(out) as { evict: Entry[] }) };
  };

  test("is advice unless it is applied, and asks before", async () => {
    const [old, young] = [await model("old", 64), await model("young", 64)];
    await plain("touch", String(old.id));
    await plain("touch", String(young.id));
    const advice = await evict("--budget", "100KiB");
    expect(advice).toMatchObject({
      code: 0,
      reply: { evict: [{ id: old.id }], total_bytes: 128 * KIB, evicted_bytes: 64 * KIB, fits: true },
    });
    const unasked = await evict("--budget", "100KiB", "--apply");
    expect([unasked.code, unasked.err]).toEqual([2, expect.stringContaining("--yes")]);
    expect(await readdir(cache)).toEqual(["old", "young"]);

    const applied = await evict("--budget", "100KiB", "--apply", "--yes");
    expect(applied).toMatchObject({ code: 0, reply: { evict: [{ id: old.id, state: "deleted" }] } });
    expect(await readdir(cache)).toEqual(["young"]);
    expect((await entries()).map(({ id }) => id)).toEqual([young.id]);
    expect(await models("evict", "--budget", "100KiB", "--apply", "--yes")).toMatchObject({
      code: 0,
      out: expect.stringContaining("nothing has to go"),
    });
  });

  test("deletes nothing outside of the root, not through links either, and says so", async () => {
    const outside = await model("outside", 64, join(folder, "elsewhere"));
    await symlink(join(folder, "elsewhere"), join(cache, "way-out"));
    const through = join(cache, "way-out", "outside");
    await plain("register", through, "--type", "t", "--name", "through", "--size", "64KiB");
    const linked = join(cache, "linked");
    await symlink(outside.cache_path, linked);
    await plain("register", linked, "--type", "t", "--name", "linked", "--size", "64KiB");
    await plain("register", cache, "--type", "t", "--name", "the cache itself", "--size", "64KiB");
    const around = `${cache}/../elsewhere/outside`;
    await plain("register", around, "--type", "t", "--name", "around", "--size", "64KiB");

    const { code, reply } = await evict("--budget", "0B", "--apply", "--yes");
    expect(code).toBe(1);
    expect(new Set(reply?.evict.map(({ state }) => state))).toEqual(new Set(["refused"]));
    expect(await readdir(outside.cache_path)).toHaveLength(3);
    expect(await readdir(cache)).toEqual(["linked", "way-out"]);
    expect(await entries()).toHaveLength(5);
    const { out } = await models("evict", "--budget", "0B", "--apply", "--yes");
    expect(out).toMatch(/not deleted: .*elsewhere\/outside: it is not below/);
  });

  test("removes entries of what is not there any more; a root that is not there is a mistake", async () => {
    const gone = await model("gone", 64);
    await rm(gone.cache_path, { recursive: true });
    const wrong = await evict("--budget", "0B", "--apply", "--yes", "--root", join(folder, "no-such"));
    expect(wrong.code).toBe(65);
    expect(await entries()).toHaveLength(1);
    expect(await evict("--budget", "0B", "--apply", "--yes")).toMatchObject({
      code: 0,
      reply: { evict: [{ id: gone.id, state: "missing" }] },
    });
    expect(await entries()).toEqual([]);
  });

  test("spares what was used since, also when the rest does not fit then", async () => {
    const used = await model("used", 64);
    await plain("touch", String(used.id));
    const spared = await models("evict", "--budget", "0B", "--keep-used-since", "2020-01-01");
    expect([spared.code, spared.out]).toEqual([1, expect.stringContaining("all are spared")]);
    expect((await models("evict", "--budget", "-1KiB")).code).toBe(2);
    expect((await models("evict")).code).toBe(2);
  });
});
