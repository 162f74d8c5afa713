import { describe, expect, test } from "@jest/globals";
import { ConflictPolicy, type UpsertRequest } from "@kindred/contracts/vector-store/v1";
import { type FakeVectorStore } from "../../test/fake-vector-store.ts";
import { floats, linesOf, vectorsFixture } from "../../test/vectors-fixture.ts";
import { npyHeader } from "../embedding/npy.ts";

const { service, vectors, fileOf } = vectorsFixture();

describe("one item", () => {
  test("a vector with everything", async () => {
    const at = await service();
    const args = [
      "upsert",
      "songs",
      "--key",
      "a",
      "--vector",
      "[1, -2,3e-1]",
      "--metadata",
      '{"year": 1990}',
      "--space",
      "s",
    ];
    expect(await vectors(at, ...args, "--document", "A song.")).toEqual({
      code: 0,
      out: " inserted\n",
      err: "",
    });
    expect(at.asked<UpsertRequest>("upsert")).toMatchObject([
      {
        collection: "songs",
        spaceId: "s",
        onConflict: ConflictPolicy.REPLACE,
        items: { keys: ["a"], texts: [] },
      },
    ]);
    expect(at.items.get("a")).toMatchObject({
      vector: floats(1, -2, 0.3),
      metadata: { year: 1990 },
      document: "A song.",
    });
    expect((await vectors(at, ...args)).out).toBe(" replaced\n");
    expect((await vectors(at, ...args, "--on-conflict", "skip")).out).toBe(
      " left as it was: the key is there\n",
    );
    expect(await vectors(at, ...args, "--on-conflict", "error")).toMatchObject({
      code: 1,
      err: expect.stringContaining("is there already"),
    });
  });

  test("a text; a vector of a file; bits", async () => {
    const at = await service();
    await vectors(at, "upsert", "songs", "--key", "t", "--text", "rain");
    await vectors(at, "upsert", "songs", "--key", "f", "--vector-file", fileOf("1 2 3", "v.txt"));
    const npy = fileOf(Buffer.concat([npyHeader(1, 3), floats(4, 5, 6)]), "v.npy");
    await vectors(at, "upsert", "songs", "--key", "n", "--vector-file", npy);
    await vectors(at, "upsert", "songs", "--key", "b", "--vector", "101100001");
    expect(at.asked<UpsertRequest>("upsert").map(({ items }) => [items?.texts, items?.vectors])).toEqual([
      [["rain"], new Uint8Array()],
      [[], floats(1, 2, 3)],
      [[], floats(4, 5, 6)],
      [[], new Uint8Array([0b1011_0000, 0b1000_0000])],
    ]);
  });

  test.each<[string, string[], RegExp]>([
    ["nothing to embed", [], /one of them/],
    ["two of them", ["--text", "a", "--vector", "1"], /one of them/],
    ["a vector that is none", ["--vector", "1,x"], /Number 2 \("x"\) is no finite float32/],
    ["numbers beyond float32", ["--vector", "1e39"], /no finite float32/],
    ["metadata that are none", ["--text", "a", "--metadata", "[]"], /JSON object/],
  ])("%s is a usage error", async (_, args, message) => {
    const at = await service();
    const { code, err } = await vectors(at, "upsert", "songs", "--key", "a", ...args);
    expect({ code, err }).toEqual({ code: 2, err: expect.stringMatching(message) });
    expect(at.requests).toEqual([]);
  });

  test("metadata are changed without the vector", async () => {
    const at = await service();
    const args = ["update", "songs", "a", "--metadata", '{"year": 1991, "live": null}', "--merge"];
    expect(await vectors(at, ...args)).toEqual({ code: 0, out: " updated\n", err: "" });
    expect(at.asked("updateMetadata")).toMatchObject([
      {
        collection: "songs",
        keys: ["a"],
        merge: true,
        metadata: [{ year: 1991, live: null }],
        documents: [],
      },
    ]);
    expect((await vectors(at, "update", "songs", "a")).code).toBe(2);
  });
});

describe("reading", () => {
  const filled = async (): Promise<FakeVectorStore> => {
    const at = await service();
    expect((await vectors(at, "import", "songs", fileOf(linesOf(5)))).code).toBe(0);
    return at;
  };

  test("by key, with what is not there named", async () => {
    const at = await filled();
    const { code, out, err } = await vectors(at, "get", "songs", "k1", "nope", "--vector");
    expect({ code, err }).toEqual({ code: 1, err: " not there: nope\n" });
    expect(out).toMatch(
      /^ key +updated +vector +item\n k1 +\+1\.0000 \+0\.5000 -1\.0000 +Song 1\. \{"year":1991\}\n$/,
    );
    const plain = await vectors(at, "get", "songs", "k1", "--json", "--vector");
    expect(JSON.parse(plain.out)).toMatchObject({
      items: [{ key: "k1", vector: [1, 0.5, -1] }],
      missing: [],
    });
    expect(plain.code).toBe(0);
  });

  test("page by page, up to a limit", async () => {
    const at = await filled();
    const { out, err } = await vectors(
      at,
      "scroll",
      "songs",
      "--limit",
      "2",
      "--where",
      "year > 1",
      "--fields",
      "year, live",
    );
    expect(
      out
        .trimEnd()
        .split("\n")
        .map((line) => line.trim().split(" ")[0]),
    ).toEqual(["key", "k0", "k1"]);
    expect(err).toBe(" more of them: --page-token k1\n");
    expect(at.asked("scroll")).toMatchObject([
      {
        pageSize: 2,
        filter: { condition: { case: "range" } },
        projection: { metadataFields: ["year", "live"] },
      },
    ]);
    const rest = await vectors(at, "scroll", "songs", "--page-token", "k1", "--json");
    const { items, next_page_token: token } = JSON.parse(rest.out) as {
      items: object[];
      next_page_token: string;
    };
    expect({ keys: items, token }).toMatchObject({
      keys: [{ key: "k2" }, { key: "k3" }, { key: "k4" }],
      token: "",
    });
    expect(items[0]).not.toHaveProperty("vector");
  });
});

describe("deleting", () => {
  test("by keys, without a question", async () => {
    const at = await service();
    at.items.set("a", { key: "a" } as never);
    expect(await vectors(at, "delete", "songs", "a", "b")).toEqual({
      code: 0,
      out: " 1 item deleted\n",
      err: "",
    });
  });

  test("by a filter, which somebody has to agree to", async () => {
    const at = await service();
    const refused = await vectors(at, "delete", "songs", "--where", "( year<1990 )");
    expect(refused).toMatchObject({
      code: 2,
      err: expect.stringMatching(
        /Delete the items of songs for which year < 1990\? There is no terminal.*\n.*--yes/,
      ),
    });
    expect(at.asked("deleteItems")).toEqual([]);
    const { out } = await vectors(at, "delete", "songs", "--where-json", '{"and": {}}', "--yes", "--json");
    expect(JSON.parse(out)).toEqual({ deleted: 0 });
    expect(at.asked("deleteItems")).toMatchObject([
      { which: { case: "filter", value: { condition: { case: "and" } } } },
    ]);
  });

  test.each([[[]], [["a", "--where", "all()"]]])("of nothing, or of two kinds: %j", async (args) => {
    expect((await vectors(await service(), "delete", "songs", ...args)).code).toBe(2);
  });
});
