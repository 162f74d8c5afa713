import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import {
  BadRowPolicy,
  ConflictPolicy,
  ElementType,
  type UpsertRequest,
} from "@kindred/contracts/vector-store/v1";
import { KindredError } from "@kindred/errors";
import { COLLECTION, store, type FakeVectorStore } from "../../test/fake-vector-store.ts";
import { floats, lineOf, linesOf, vectorsFixture } from "../../test/vectors-fixture.ts";
import { npyHeader } from "../embedding/npy.ts";

const { folder, service, vectors, fileOf } = vectorsFixture();
const keysOf = ({ items }: UpsertRequest): readonly string[] => items?.keys ?? [];

describe("import", () => {
  test("lines of JSON, in batches, in order", async () => {
    const at = await service();
    const path = fileOf(linesOf(25));
    const { code, out, err } = await vectors(at, "import", "songs", path, "--batch-size", "10");
    expect({ code, out }).toEqual({
      code: 0,
      out: expect.stringMatching(/songs\.jsonl: 25 inserted \(in [\d.]+ s, [\d,]+ rows\/s\)\n$/),
    });
    expect(err).toMatch(/^✔ import +.*songs\.jsonl, 25 rows/);
    expect(at.asked<UpsertRequest>("upsert").map((request) => keysOf(request).length)).toEqual([10, 10, 5]);
    expect(at.asked<UpsertRequest>("upsert")[0]).toMatchObject({
      onConflict: ConflictPolicy.ERROR,
      badRows: BadRowPolicy.REJECT_BATCH,
      items: {
        metadata: expect.arrayContaining([{ year: 1990 }]),
        documents: expect.arrayContaining(["Song 0."]),
      },
    });
    expect(at.items.get("k24")).toMatchObject({ vector: floats(24, 0.5, -1), metadata: { year: 2014 } });
    expect(readdirSync(folder())).toEqual(["songs.jsonl"]);
  });

  test("texts, numbers as keys, empty lines, and lines without the other members", async () => {
    const at = await service();
    const path = fileOf(
      '{"key": 7, "text": "rain"}\n\n{"key": "b", "text": "sun", "document": "d"}\r\n{"key": "c", "vector": [1,2,3]}',
    );
    expect((await vectors(at, "import", "songs", path)).code).toBe(0);
    expect(at.asked("upsert")).toMatchObject([
      { items: { keys: ["7", "b"], texts: ["rain", "sun"], documents: ["", "d"], metadata: [] } },
      { items: { keys: ["c"], texts: [], documents: [] } },
    ]);
  });

  test("bits", async () => {
    const at = await service({}, { ...COLLECTION, elementType: ElementType.BIT, dimensions: 10 });
    const path = fileOf(
      '{"key": "a", "vector": "1000000001"}\n{"key": "b", "vector": [0,1,0,0,0,0,0,0,1,0]}\n',
    );
    await vectors(at, "import", "songs", path);
    expect(at.asked<UpsertRequest>("upsert").map(({ items }) => items?.vectors)).toEqual([
      new Uint8Array([128, 64, 64, 128]),
    ]);
  });

  test("a matrix of NumPy with its keys", async () => {
    const at = await service();
    const count = 2_500;
    const values = Array.from({ length: count * 3 }, (_, i) => i / 4);
    const npy = fileOf(Buffer.concat([npyHeader(count, 3), floats(...values)]), "v.npy");
    const keys = fileOf(Array.from({ length: count }, (_, i) => `key ${i}\n`).join(""), "keys.txt");
    const { out } = await vectors(at, "import", "songs", npy, "--keys", keys, "--json");
    expect(JSON.parse(out)).toMatchObject({
      files: [{ inserted: count, resumed_after: 0, rejected_rows: [] }],
    });
    expect(at.asked<UpsertRequest>("upsert").map((request) => keysOf(request).length)).toEqual([
      1_000, 1_000, 500,
    ]);
    expect(at.items.get("key 2499")?.vector).toEqual(floats(...values.slice(-3)));
  });

  test.each<[string, string, RegExp]>([
    ["no JSON", "{", /line 2: it is no JSON/],
    [
      "another length",
      '{"key": "a", "vector": [1]}',
      /line 2: "vector" has 1 dimensions, not the collection's 3/,
    ],
    ["no number", '{"key": "a", "vector": [1, null, 2]}', /line 2: "vector" has null at position 1/],
    ["too large for float32", '{"key": "a", "vector": [1, 1e39, 2]}', /line 2: .*finite float32/],
    ["no key", '{"text": "a"}', /line 2: "key" has to be a text/],
    ["both", '{"key": "a", "text": "a", "vector": [1, 2, 3]}', /line 2: an item has a "vector" or a "text"/],
    ["neither", '{"key": "a", "text": null}', /line 2: an item has a "vector" or a "text"/],
    ["an unknown member", '{"key": "a", "text": "a", "year": 1}', /line 2: "year" is no member/],
    [
      "metadata that are no object",
      '{"key": "a", "text": "a", "metadata": 1}',
      /line 2: "metadata" has to be an object/,
    ],
    ["a list", "[]", /line 2: it is no JSON object/],
  ])("a bad line is named: %s", async (_, line, message) => {
    const at = await service();
    const { code, err } = await vectors(at, "import", "songs", fileOf(`${lineOf(0)}\n${line}\n`));
    expect({ code, err }).toEqual({ code: 65, err: expect.stringMatching(message) });
    expect(err).toMatch(/nothing of it is stored\.\n +Leave such rows out with --bad-rows skip/);
    expect(at.items.size).toBe(0);
  });

  test("bad rows can be left out, and are listed", async () => {
    const at = await service();
    const path = fileOf(`${lineOf(0)}\n{\n${lineOf(1)}\n`);
    const { code, out } = await vectors(at, "import", "songs", path, "--bad-rows", "skip");
    expect({ code, out }).toEqual({
      code: 0,
      out: expect.stringMatching(/2 inserted, 1 bad \(.*\)\n {3}2: it is no JSON\n$/),
    });
    expect(at.asked("upsert")).toMatchObject([
      { badRows: BadRowPolicy.SKIP_ROW, items: { keys: ["k0", "k1"] } },
    ]);
  });

  test("keys that are there already", async () => {
    const at = await service();
    const path = fileOf(linesOf(3));
    await vectors(at, "import", "songs", path);
    const refused = await vectors(at, "import", "songs", path);
    expect(refused).toMatchObject({
      code: 1,
      err: expect.stringMatching(
        /is there already; nothing of it is stored\.\n.*--on-conflict skip or replace/,
      ),
    });
    expect((await vectors(at, "import", "songs", path, "--on-conflict", "skip")).out).toContain(
      "0 inserted, 3 skipped, being there already",
    );
    expect((await vectors(at, "import", "songs", path, "--on-conflict", "replace")).out).toContain(
      "0 inserted, 3 replaced",
    );
  });

  test("after a failure the same command goes on, and not with another file", async () => {
    let failing = true;
    const at: FakeVectorStore = await service({
      upsert: (request) => {
        if (failing && keysOf(request)[0] === "k4")
          throw new KindredError("failed-precondition", "no more room");
        return store(at.items, request, 3);
      },
    });
    const path = fileOf(linesOf(7));
    const args = ["import", "songs", path, "--batch-size", "2"];
    const first = await vectors(at, ...args);
    expect(first).toMatchObject({
      code: 1,
      err: expect.stringContaining("no more room; everything up to line 4 is stored."),
    });
    expect(existsSync(`${path}.kindred-checkpoint`)).toBe(true);
    failing = false;
    const again = await vectors(at, ...args, "--json");
    expect(JSON.parse(again.out)).toMatchObject({ files: [{ inserted: 3, resumed_after: 4 }] });
    expect([...at.items.keys()].toSorted()).toEqual(["k0", "k1", "k2", "k3", "k4", "k5", "k6"]);
    expect(existsSync(`${path}.kindred-checkpoint`)).toBe(false);
  });

  test("a checkpoint of an import that went elsewhere is not used", async () => {
    const at = await service({
      upsert: (request) => {
        if (keysOf(request)[0] === "k2") throw new KindredError("failed-precondition", "no more room");
        return {};
      },
    });
    const args = ["import", "songs", fileOf(linesOf(4)), "--batch-size", "2"];
    await vectors(at, ...args);
    const other = await service();
    const { code, err } = await vectors(other, ...args);
    expect({ code, err }).toMatchObject({
      code: 0,
      err: expect.stringMatching(
        /checkpoint is not used: that import went to http:.*Starting at the beginning/,
      ),
    });
    expect(other.items.size).toBe(4);
  });

  test("a file that has changed starts anew, and says so", async () => {
    const at = await service({
      upsert: (request) => {
        if (keysOf(request)[0] === "k2") throw new KindredError("failed-precondition", "no more room");
        return {};
      },
    });
    const path = fileOf(linesOf(4));
    await vectors(at, "import", "songs", path, "--batch-size", "2");
    fileOf(linesOf(5));
    const { err } = await vectors(at, "import", "songs", path, "--batch-size", "2");
    expect(err).toContain("is not used: the file has changed since. Starting at the beginning");
    expect(at.asked<UpsertRequest>("upsert").map((request) => keysOf(request)[0])).toEqual([
      "k0",
      "k2",
      "k0",
      "k2",
    ]);
  });

  test("a matrix goes on, too", async () => {
    let failing = true;
    const at: FakeVectorStore = await service({
      upsert: (request) => {
        if (failing && keysOf(request)[0] === "c")
          throw new KindredError("failed-precondition", "no more room");
        return store(at.items, request, 3);
      },
    });
    const npy = fileOf(Buffer.concat([npyHeader(4, 3), floats(1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4)]), "v.npy");
    const args = ["import", "songs", npy, "--keys", fileOf("a\nb\nc\nd", "keys.txt"), "--batch-size", "2"];
    expect((await vectors(at, ...args)).err).toContain("everything up to row 2 is stored");
    failing = false;
    expect((await vectors(at, ...args)).code).toBe(0);
    expect([...at.items].map(([key, { vector }]) => [key, vector])).toEqual([
      ["a", floats(1, 1, 1)],
      ["b", floats(2, 2, 2)],
      ["c", floats(3, 3, 3)],
      ["d", floats(4, 4, 4)],
    ]);
  });

  test("a service that is away for a moment is waited for", async () => {
    let calls = 0;
    const at: FakeVectorStore = await service({
      upsert: (request) => {
        calls += 1;
        if (calls === 2) throw new KindredError("unavailable", "restarting");
        return store(at.items, request, 3);
      },
    });
    const { code, err } = await vectors(at, "import", "songs", fileOf(linesOf(4)), "--batch-size", "2");
    expect(code).toBe(0);
    expect(err).toContain("waiting up to 120 s for the services: restarting");
    expect(err).toContain("going on");
    expect(at.items.size).toBe(4);
  });

  test.each<[string, string[], number, RegExp]>([
    ["no such file", ["none.jsonl"], 65, /none\.jsonl cannot be read: there is no such file/],
    ["an unknown kind", ["songs.csv"], 2, /none of those known/],
    ["a matrix without keys", ["v.npy"], 2, /has no keys: name the file/],
    [
      "as many keys as rows",
      ["v.npy", "--keys", "keys.txt"],
      65,
      /keys\.txt has 2 keys, and .*v\.npy 1 rows/,
    ],
    [
      "a matrix of another width",
      ["wide.npy", "--keys", "keys.txt"],
      65,
      /rows of 4 dimensions, not the collection's 3/,
    ],
    ["doubles", ["f8.npy", "--keys", "keys.txt"], 65, /its dtype is <f8.*\n.*np\.save/],
    [
      "a matrix that is cut off",
      ["short.npy", "--keys", "keys.txt"],
      65,
      /136 bytes where 2 x 3 float32 need 152/,
    ],
    ["what only looks like one", ["no.npy", "--keys", "keys.txt"], 65, /does not begin as a NumPy file does/],
    ["keys of lines", ["songs.jsonl", "--keys", "keys.txt"], 2, /--keys is for \.npy/],
    ["keys of two files", ["v.npy", "wide.npy", "--keys", "keys.txt"], 2, /--keys is for one file/],
  ])("what cannot be imported: %s", async (_, args, code, message) => {
    const at = await service();
    fileOf(linesOf(1));
    fileOf("key,text\n", "songs.csv");
    fileOf(Buffer.concat([npyHeader(1, 3), floats(1, 2, 3)]), "v.npy");
    fileOf(Buffer.concat([npyHeader(2, 4), floats(1, 2, 3, 4, 5, 6, 7, 8)]), "wide.npy");
    fileOf(Buffer.concat([npyHeader(2, 3), floats(1, 2)]), "short.npy");
    const header = Buffer.from(
      Buffer.from(npyHeader(2, 3)).toString("latin1").replace("<f4", "<f8"),
      "latin1",
    );
    fileOf(Buffer.concat([header, Buffer.alloc(48)]), "f8.npy");
    fileOf("no matrix at all", "no.npy");
    fileOf("a\nb\n", "keys.txt");
    const outcome = await vectors(
      at,
      "import",
      "songs",
      ...args.map((arg) => (arg.includes(".") ? join(folder(), arg) : arg)),
    );
    expect(outcome).toMatchObject({ code, err: expect.stringMatching(message) });
    expect(at.asked("upsert")).toEqual([]);
  });

  test("a collection that is not there", async () => {
    const { code, err } = await vectors(await service(), "import", "none", fileOf(linesOf(1)));
    expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining('there is no collection "none"') });
  });
});
