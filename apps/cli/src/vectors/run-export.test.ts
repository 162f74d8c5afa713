import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { KindredError } from "@kindred/errors";
import { fakeVectorStore, type FakeVectorStore } from "../../test/fake-vector-store.ts";
import { floats, linesOf, vectorsFixture } from "../../test/vectors-fixture.ts";
import { npyHeader } from "../embedding/npy.ts";

const { folder, service, vectors, fileOf } = vectorsFixture();

describe("export", () => {
  const filled = async (methods: Parameters<typeof fakeVectorStore>[0] = {}): Promise<FakeVectorStore> => {
    const at = await service(methods);
    expect((await vectors(at, "import", "songs", fileOf(linesOf(5)))).code).toBe(0);
    return at;
  };

  test("to lines of JSON, which are imported as they were", async () => {
    const at = await filled();
    const path = join(folder(), "out.jsonl");
    const { code, out } = await vectors(at, "export", "songs", path);
    expect({ code, out }).toEqual({
      code: 0,
      out: expect.stringMatching(/written .*out\.jsonl \(5 items, \d+ bytes\)/),
    });
    expect(readFileSync(path, "utf8")).toBe(linesOf(5));
    const other = await service();
    await vectors(other, "import", "songs", path);
    expect([...other.items.values()]).toEqual([...at.items.values()]);
  });

  test("to standard output, without vectors, and those that pass a filter", async () => {
    const at = await filled();
    const { code, out } = await vectors(at, "export", "songs", "-", "--no-vector", "--where", "exists(year)");
    expect(code).toBe(0);
    expect(JSON.parse(out.split("\n")[1] as string)).toEqual({
      key: "k1",
      metadata: { year: 1991 },
      document: "Song 1.",
    });
    expect(at.asked("export")).toMatchObject([
      { filter: { condition: { case: "exists" } }, projection: { vector: false } },
    ]);
  });

  test("to a matrix with its keys", async () => {
    const at = await filled();
    const [npy, keys] = [join(folder(), "v.npy"), join(folder(), "keys.txt")];
    const { code, out } = await vectors(at, "export", "songs", npy, "--keys", keys, "--json");
    expect({ code, report: JSON.parse(out) as unknown }).toMatchObject({
      code: 0,
      report: { items: 5, bytes: 128 + 60 },
    });
    expect(readFileSync(npy)).toEqual(
      Buffer.concat([npyHeader(5, 3), ...[0, 1, 2, 3, 4].map((i) => floats(i, 0.5, -1))]),
    );
    expect(readFileSync(keys, "utf8")).toBe("k0\nk1\nk2\nk3\nk4\n");
  });

  test("a stream that breaks goes on behind the last key", async () => {
    let calls = 0;
    const at = await filled({
      export: async function* ({ afterKey }) {
        calls += 1;
        const rest = ["a", "b", "c", "d"].filter((key) => key > afterKey);
        await Promise.resolve();
        yield { items: { keys: rest.slice(0, 2) } };
        if (calls === 1) throw new KindredError("unavailable", "restarting");
        yield { items: { keys: rest.slice(2) } };
      },
    });
    const { code, out, err } = await vectors(at, "export", "songs", "-");
    expect({ code, out }).toEqual({ code: 0, out: '{"key":"a"}\n{"key":"b"}\n{"key":"c"}\n{"key":"d"}\n' });
    expect(err).toMatch(/waiting up to 120 s for the store: restarting\n.*going on behind the last key/);
    expect(at.asked("export")).toMatchObject([{ afterKey: "" }, { afterKey: "b" }]);
  });

  test("an error leaves no file", async () => {
    const at = await filled({
      export: async function* () {
        await Promise.resolve();
        yield { items: { keys: ["a"] } };
        throw new KindredError("internal", "broken");
      },
    });
    expect((await vectors(at, "export", "songs", join(folder(), "out.jsonl"))).code).toBe(1);
    expect(readdirSync(folder())).toEqual(["songs.jsonl"]);
  });

  test.each<[string, string[], RegExp]>([
    ["a matrix without a place for keys", ["v.npy"], /name a file for them by --keys.*\n.*v-keys\.txt/],
    ["a matrix without vectors", ["v.npy", "--no-vector", "--keys", "k.txt"], /nothing but vectors/],
    ["keys in the same file", ["v.npy", "--keys", "v.npy"], /is the file of the vectors/],
    ["an unknown kind", ["v.csv"], /none of those known/],
    ["keys of lines", ["v.jsonl", "--keys", "k.txt"], /--keys is for \.npy/],
  ])("%s is a usage error", async (_, args, message) => {
    const { code, err } = await vectors(await service(), "export", "songs", ...args);
    expect({ code, err }).toEqual({ code: 2, err: expect.stringMatching(message) });
  });
});
