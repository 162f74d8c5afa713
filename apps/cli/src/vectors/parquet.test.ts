import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { ElementType, type UpsertRequest } from "@kindred/contracts/vector-store/v1";
import { KindredError } from "@kindred/errors";
import { createParquetFile, type ParquetColumn } from "@kindred/parquet";
import { COLLECTION, store, type FakeVectorStore } from "../../test/fake-vector-store.ts";
import { floats, linesOf, vectorsFixture } from "../../test/vectors-fixture.ts";

const { folder, service, vectors, fileOf } = vectorsFixture();
const keysOf = ({ items }: UpsertRequest): readonly string[] => items?.keys ?? [];

async function parquetOf(
  columns: readonly ParquetColumn[],
  values: Readonly<Record<string, readonly unknown[]>>,
  name = "songs.parquet",
): Promise<string> {
  const path = join(folder(), name);
  await using writer = await createParquetFile(path, { columns, rowGroupRows: 4 });
  await writer.append({ rows: Object.values(values)[0]?.length ?? 0, columns: values });
  await writer.finish();
  return path;
}

const KEY: ParquetColumn = { name: "key", type: "string", nullable: true };
const VECTOR: ParquetColumn = { name: "vector", type: "float32s", nullable: true };

/** Items as they are in the store, in order. */
const contentOf = (at: FakeVectorStore) =>
  [...at.items.values()].map(({ key, vector, metadata, document }) => ({ key, vector, metadata, document }));

describe("Parquet", () => {
  test("what is exported is imported again as it was", async () => {
    const at = await service();
    await vectors(at, "import", "songs", fileOf(linesOf(11)));
    await vectors(
      at,
      "import",
      "songs",
      fileOf('{"key": "odd", "vector": [-0, 1e-45, 3.4e38]}', "odd.jsonl"),
    );
    const before = contentOf(at);
    const path = join(folder(), "out.parquet");
    const { code, out } = await vectors(at, "export", "songs", path);
    expect({ code, out }).toEqual({
      code: 0,
      out: expect.stringMatching(/written .*out\.parquet \(12 items, /),
    });
    at.items.clear();
    expect((await vectors(at, "import", "songs", path)).code).toBe(0);
    expect(contentOf(at)).toEqual(before.toSorted((one, other) => (one.key < other.key ? -1 : 1)));
    expect(at.items.get("odd")?.vector).toEqual(floats(-0, 1e-45, 3.4e38));
    expect(readdirSync(folder()).toSorted()).toEqual(["odd.jsonl", "out.parquet", "songs.jsonl"]);
  });

  test("bits are texts", async () => {
    const at = await service({}, { ...COLLECTION, elementType: ElementType.BIT, dimensions: 10 });
    const path = await parquetOf([KEY, { name: "vector", type: "string", nullable: false }], {
      key: ["a", "b"],
      vector: ["1000000001", "0100000010"],
    });
    await vectors(at, "import", "songs", path);
    expect(at.asked<UpsertRequest>("upsert").map(({ items }) => items?.vectors)).toEqual([
      new Uint8Array([128, 64, 64, 128]),
    ]);
  });

  test("numbers as keys, texts instead of vectors, and metadata as JSON", async () => {
    const at = await service();
    const path = await parquetOf(
      [
        { name: "key", type: "int64", nullable: false },
        { name: "text", type: "string", nullable: false },
        { name: "metadata", type: "string", nullable: true },
      ],
      { key: [1n, 2n ** 62n], text: ["rain", "sun"], metadata: ['{"year": 1990}', null] },
    );
    expect((await vectors(at, "import", "songs", path)).code).toBe(0);
    expect(at.asked("upsert")).toMatchObject([
      {
        items: { keys: ["1", "4611686018427387904"], texts: ["rain", "sun"], metadata: [{ year: 1990 }, {}] },
      },
    ]);
  });

  test("an import that was stopped goes on behind the rows that are stored", async () => {
    let isDown = true;
    let calls = 0;
    const items: FakeVectorStore["items"] = new Map();
    const at = await service({
      upsert: (request) => {
        calls += 1;
        if (isDown && calls === 3) throw new KindredError("unavailable", "away");
        return store(items, request, 3);
      },
    });
    const count = 25;
    const path = await parquetOf([KEY, VECTOR], {
      key: Array.from({ length: count }, (_, i) => `k${i}`),
      vector: Array.from({ length: count }, (_, i) => [i, 1, -1]),
    });
    const stopped = await vectors(at, "import", "songs", path, "--batch-size", "10", "--patience", "0");
    expect(stopped).toMatchObject({
      code: 69,
      err: expect.stringContaining("everything up to row 20 is stored"),
    });
    expect(existsSync(`${path}.kindred-checkpoint`)).toBe(true);
    isDown = false;
    const again = await vectors(at, "import", "songs", path, "--batch-size", "10", "--json");
    expect(JSON.parse(again.out)).toMatchObject({ files: [{ inserted: 5, resumed_after: 20 }] });
    expect(keysOf(at.asked<UpsertRequest>("upsert").at(-1) as UpsertRequest)).toEqual([
      "k20",
      "k21",
      "k22",
      "k23",
      "k24",
    ]);
    expect(items.size).toBe(count);
    expect(existsSync(`${path}.kindred-checkpoint`)).toBe(false);
  });

  test.each<[string, Readonly<Record<string, unknown>>, RegExp]>([
    ["no key", { key: null }, /row 2: "key" has to be a text that is not empty/],
    ["no vector", { vector: null }, /row 2: an item has a "vector" or a "text"/],
    ["another length", { vector: [1] }, /row 2: "vector" has 1 dimensions, not the collection's 3/],
    ["no number", { vector: [1, Number.NaN, 2] }, /row 2: "vector" has .* at position 1, which is no finite/],
    ["no JSON", { metadata: "{" }, /row 2: "metadata" has to be JSON/],
    ["no object", { metadata: "[1]" }, /row 2: "metadata" has to be an object/],
  ])("a bad row is named: %s", async (_, bad, message) => {
    const at = await service();
    const row = { key: "b", vector: [1, 2, 3], metadata: null, ...bad };
    const path = await parquetOf([KEY, VECTOR, { name: "metadata", type: "string", nullable: true }], {
      key: ["a", row.key],
      vector: [[1, 2, 3], row.vector],
      metadata: [null, row.metadata],
    });
    const { code, err } = await vectors(at, "import", "songs", path);
    expect({ code, err }).toEqual({ code: 65, err: expect.stringMatching(message) });
    expect(err).toMatch(/nothing of it is stored/);
    expect(at.items.size).toBe(0);
  });

  test.each<[string, ParquetColumn[], RegExp]>([
    ["without keys", [VECTOR], /has no column key; it has vector\.\n.*key, vector, text, metadata, document/],
    ["with others", [KEY, { ...KEY, name: "year" }], /has columns that an item has not: year\.\n.*metadata/],
  ])("files %s are refused", async (_, columns, message) => {
    const at = await service();
    const path = await parquetOf(columns, Object.fromEntries(columns.map(({ name }) => [name, []])));
    const { code, err } = await vectors(at, "import", "songs", path);
    expect({ code, err }).toEqual({ code: 65, err: expect.stringMatching(message) });
  });

  test("what is no Parquet file, or cut off, is refused, and nothing is stored", async () => {
    const at = await service();
    const whole = await parquetOf([KEY, VECTOR], { key: ["a"], vector: [[1, 2, 3]] }, "whole.parquet");
    const bytes = readFileSync(whole);
    const bad = {
      "text.parquet": Buffer.from("no parquet"),
      "cut.parquet": bytes.subarray(0, bytes.length - 9),
    };
    for (const [name, content] of Object.entries(bad)) {
      writeFileSync(join(folder(), name), content);
      const { code, err } = await vectors(at, "import", "songs", join(folder(), name));
      expect({ code, err }).toEqual({ code: 65, err: expect.stringContaining(name) });
    }
    expect(at.items.size).toBe(0);
    const missing = await vectors(at, "import", "songs", join(folder(), "none.parquet"));
    expect(missing).toMatchObject({ code: 65, err: expect.stringContaining("there is no such file") });
    const unwritable = await vectors(at, "export", "songs", join(folder(), "none", "out.parquet"));
    expect(unwritable).toMatchObject({ code: 73, err: expect.stringContaining("there is no such folder") });
    const keys = await vectors(at, "import", "songs", whole, "--keys", whole);
    expect(keys).toMatchObject({ code: 2, err: expect.stringContaining("keys in the column key") });
  });
});
