import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { packVectors } from "@kindred/rpc";
import fc from "fast-check";
import { openFixture, errorOf, type Fixture } from "./fixture.ts";
import { DIMENSIONS, SPACE, wordVector } from "./fake-embedding.ts";

let fixture: Fixture;

beforeAll(async () => {
  fixture = await openFixture();
}, 60_000);
afterAll(async () => {
  await fixture?.[Symbol.asyncDispose]();
});
beforeEach(() => fixture.clear());

const withVector = (values: Float32Array, spaceId = "") => ({
  source: { case: "vector" as const, value: { data: packVectors(values), spaceId } },
});
const unit = Float32Array.from({ length: DIMENSIONS }, (_, i) => (i === 0 ? 1 : 0));

describe("AddImage", () => {
  test("stores every field and gives it back", async () => {
    const fields = {
      imagePath: "animals/cat.png",
      description: "a cat — 猫",
      tags: ["cat", "b", 'quo"te', "a,b", "{x}"],
      width: 640,
      height: 480,
      fileSizeBytes: 5_000_000_000n,
      format: "png",
      sourceDataset: "gallery",
    };
    const { image } = await fixture.images.addImage({ image: fields });
    expect(image).toMatchObject({ ...fields, embeddingCount: 0 });
    const { image: found, embeddings } = await fixture.images.getImage({
      key: { case: "imagePath", value: fields.imagePath },
    });
    expect(found).toEqual(image);
    expect(embeddings).toEqual([]);
    expect(Math.abs(Number(image?.createdAt?.seconds) - Date.now() / 1000)).toBeLessThan(60);
  });

  test("leaves out what is not there", async () => {
    const { image } = await fixture.images.addImage({ image: { imagePath: "x.png" } });
    const { image: found } = await fixture.images.getImage({
      key: { case: "id", value: image?.id as bigint },
    });
    expect(found).toMatchObject({ description: "", tags: [], format: "", sourceDataset: "" });
    expect(found?.width).toBeUndefined();
    expect(found?.fileSizeBytes).toBeUndefined();
    const { rows } = await fixture.db.query("SELECT description, format, source_dataset, width FROM images");
    expect(rows).toEqual([{ description: null, format: null, source_dataset: null, width: null }]);
  });

  test("refuses a path that is taken", async () => {
    const { image } = await fixture.images.addImage({ image: { imagePath: "x.png", description: "first" } });
    const error = await errorOf(
      fixture.images.addImage({ image: { imagePath: "x.png", description: "second" } }),
    );
    expect(error.kind).toBe("already-exists");
    expect(error.metadata).toMatchObject({ image_path: "x.png", image_id: String(image?.id) });
    const { rows } = await fixture.db.query("SELECT description FROM images");
    expect(rows).toEqual([{ description: "first" }]);
  });
});

describe("AddImageWithEmbeddings", () => {
  test("embeds the description when there are no embeddings", async () => {
    const reply = await fixture.images.addImageWithEmbeddings({
      image: { imagePath: "cat.png", description: "a cat on a sofa" },
    });
    expect(reply.image?.embeddingCount).toBe(1);
    const { embeddings } = await fixture.images.getImage({
      key: { case: "id", value: reply.image?.id as bigint },
    });
    expect(embeddings).toMatchObject([
      {
        id: reply.embeddingIds[0],
        key: "description",
        embeddingType: "text",
        modelType: "fake",
        modelName: "words",
        spaceId: SPACE.id,
        metadata: { text: "a cat on a sofa" },
      },
    ]);
    const { rows } = await fixture.db.query<{ embedding: string }>("SELECT embedding::text FROM embeddings");
    const stored = JSON.parse(rows[0]?.embedding as string) as number[];
    const expected = wordVector("a cat on a sofa");
    expect(Math.max(...stored.map((value, i) => Math.abs(value - (expected[i] as number))))).toBeLessThan(
      1e-7,
    );
  });

  test("stores texts and vectors in one go, and returns their ids in the request's order", async () => {
    const { image, embeddingIds } = await fixture.images.addImageWithEmbeddings({
      image: { imagePath: "cat.png", description: "not embedded" },
      embeddings: [
        { key: "z", source: { case: "text", value: "a cat" }, metadata: { lang: "en", nested: { n: 1.5 } } },
        { key: "a", embeddingType: "image", modelType: "clip", modelName: "ViT-B/32", ...withVector(unit) },
        { source: { case: "text", value: "ein Kater" } },
        { source: { case: "text", value: "ein Kater" } },
      ],
    });
    const { embeddings } = await fixture.images.getImage({ key: { case: "id", value: image?.id as bigint } });
    const byId = new Map(embeddings.map((embedding) => [embedding.id, embedding]));
    const inOrder = embeddingIds.map((id) => byId.get(id));
    expect(inOrder).toMatchObject([
      { key: "z", metadata: { lang: "en", nested: { n: 1.5 }, text: "a cat" }, modelName: "words" },
      { key: "a", embeddingType: "image", modelType: "clip", modelName: "ViT-B/32" },
      { metadata: { text: "ein Kater" } },
      { metadata: { text: "ein Kater" } },
    ]);
    // The same text twice is one embedding.
    expect(embeddingIds[2]).toBe(embeddingIds[3]);
    expect(embeddings).toHaveLength(3);
    expect(inOrder[1]?.metadata).toBeUndefined();
    expect(fixture.embedding.calls).toEqual([["a cat", "ein Kater"]]);
  });

  test("stores nothing when the embedding fails", async () => {
    fixture.embedding.before = () => Promise.reject(new Error("broken"));
    expect(
      (await errorOf(fixture.images.addImageWithEmbeddings({ image: { imagePath: "a", description: "b" } })))
        .kind,
    ).toBe("internal");
    expect((await fixture.index.getStatistics({})).totalImages).toBe(0n);
  });
});

describe("AddEmbeddings", () => {
  test("adds what the image lacks, and counts what it has", async () => {
    const { image } = await fixture.images.addImage({ image: { imagePath: "x.png" } });
    const imageId = image?.id as bigint;
    const embeddings = [
      { key: "a", ...withVector(unit) },
      { source: { case: "text" as const, value: "a cat" } },
    ];
    expect(await fixture.images.addEmbeddings({ imageId, embeddings })).toMatchObject({
      added: 2,
      existing: 0,
    });
    const more = [...embeddings, { source: { case: "text" as const, value: "a dog" } }];
    expect(await fixture.images.addEmbeddings({ imageId, embeddings: more })).toMatchObject({
      added: 1,
      existing: 2,
    });
    // Only what was new was embedded.
    expect(fixture.embedding.calls).toEqual([["a cat"], ["a dog"]]);
  });

  test("to an unknown image is not found, and pins no space", async () => {
    const error = await errorOf(
      fixture.images.addEmbeddings({ imageId: 987n, embeddings: [withVector(unit)] }),
    );
    expect(error.kind).toBe("not-found");
    expect((await fixture.index.getStatistics({})).spaceId).toBe("");
  });

  test("keeps every bit of a vector", async () => {
    const { image } = await fixture.images.addImage({ image: { imagePath: "x.png" } });
    const vectors = fc.sample(
      fc
        .array(fc.float({ noNaN: true, min: Math.fround(-1e17), max: Math.fround(1e17) }), {
          minLength: DIMENSIONS,
          maxLength: DIMENSIONS,
        })
        .map((values) => Float32Array.from(values).with(0, 1)),
      40,
    );
    await fixture.images.addEmbeddings({
      imageId: image?.id as bigint,
      embeddings: vectors.map((values, i) => ({ key: String(i), ...withVector(values) })),
    });
    const { rows } = await fixture.db.query<{ key: string; text: string }>(
      "SELECT embedding_key AS key, embedding::text AS text FROM embeddings",
    );
    expect(rows).toHaveLength(vectors.length);
    for (const { key, text } of rows) {
      // The text form as pgvector prints it, read by PostgreSQL's shortest-exact rule.
      expect(Float32Array.from(JSON.parse(text) as number[])).toEqual(vectors[Number(key)]);
    }
  });
});

describe("ListImages", () => {
  const listAll = async (request: { pageSize: number; sourceDataset?: string; tags?: string[] }) => {
    const pages: string[][] = [];
    let pageToken = "";
    do {
      const page = await fixture.images.listImages({ ...request, pageToken });
      pages.push(page.images.map((image) => image.imagePath));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    return pages;
  };

  test("gives pages by ascending id, with filters", async () => {
    for (let i = 0; i < 7; i++) {
      await fixture.images.addImage({
        image: {
          imagePath: `${i}.png`,
          sourceDataset: i % 2 === 0 ? "even" : "odd",
          tags: i < 4 ? ["small", "x"] : ["x"],
        },
      });
    }
    expect(await listAll({ pageSize: 3 })).toEqual([
      ["0.png", "1.png", "2.png"],
      ["3.png", "4.png", "5.png"],
      ["6.png"],
    ]);
    expect(await listAll({ pageSize: 7 })).toHaveLength(1);
    expect(await listAll({ pageSize: 2, sourceDataset: "even" })).toEqual([
      ["0.png", "2.png"],
      ["4.png", "6.png"],
    ]);
    expect(await listAll({ pageSize: 10, tags: ["x", "small"], sourceDataset: "odd" })).toEqual([
      ["1.png", "3.png"],
    ]);
    expect(await listAll({ pageSize: 10, tags: ["none"] })).toEqual([[]]);
  });

  test("does not shift when images before the next page are deleted", async () => {
    const ids: bigint[] = [];
    for (let i = 0; i < 4; i++) {
      ids.push((await fixture.images.addImage({ image: { imagePath: `${i}.png` } })).image?.id as bigint);
    }
    const first = await fixture.images.listImages({ pageSize: 2 });
    await fixture.images.deleteImage({ id: ids[0] as bigint });
    const second = await fixture.images.listImages({ pageSize: 2, pageToken: first.nextPageToken });
    expect(second.images.map((image) => image.imagePath)).toEqual(["2.png", "3.png"]);
    expect(second.nextPageToken).toBe("");
  });

  test("refuses the token of another list", async () => {
    for (let i = 0; i < 2; i++)
      await fixture.images.addImage({ image: { imagePath: `${i}.png`, tags: ["t"] } });
    const { nextPageToken } = await fixture.images.listImages({ pageSize: 1, tags: ["t"] });
    const error = await errorOf(fixture.images.listImages({ pageSize: 1, pageToken: nextPageToken }));
    expect(error.violations.map((violation) => violation.field)).toEqual(["page_token"]);
  });
});

describe("UpdateImage", () => {
  test("changes what is set, and nothing else", async () => {
    const { image } = await fixture.images.addImageWithEmbeddings({
      image: { imagePath: "x.png", description: "old", tags: ["a"], width: 1, height: 2, format: "png" },
    });
    const id = image?.id as bigint;
    const { image: changed } = await fixture.images.updateImage({
      id,
      description: "new",
      tags: { values: [] },
      width: 10,
      fileSizeBytes: 7n,
    });
    expect(changed).toEqual({ ...image, description: "new", tags: [], width: 10, fileSizeBytes: 7n });
    expect((await fixture.images.updateImage({ id })).image).toEqual(changed);
    expect((await fixture.images.updateImage({ id, format: "" })).image?.format).toBe("");
    // The embedding of the old description stays.
    const { embeddings } = await fixture.images.getImage({ key: { case: "id", value: id } });
    expect(embeddings.map((embedding) => embedding.metadata)).toEqual([{ text: "old" }]);
  });

  test("of an unknown image is not found", async () => {
    for (const changes of [{ width: 5 }, {}]) {
      expect((await errorOf(fixture.images.updateImage({ id: 987n, ...changes }))).kind).toBe("not-found");
    }
  });
});

describe("DeleteImage", () => {
  test("takes the embeddings with it", async () => {
    const { image } = await fixture.images.addImageWithEmbeddings({
      image: { imagePath: "x", description: "a" },
    });
    const id = image?.id as bigint;
    await fixture.images.addEmbeddings({ imageId: id, embeddings: [withVector(unit)] });
    expect(await fixture.images.deleteImage({ id })).toMatchObject({ embeddingsDeleted: 2 });
    expect((await errorOf(fixture.images.deleteImage({ id }))).kind).toBe("not-found");
    expect((await errorOf(fixture.images.getImage({ key: { case: "id", value: id } }))).kind).toBe(
      "not-found",
    );
    const { rows } = await fixture.db.query("SELECT count(*)::int AS count FROM embeddings");
    expect(rows).toEqual([{ count: 0 }]);
  });

  test("while the image is being added to: one of the two wins, and nothing is left over", async () => {
    for (let round = 0; round < 10; round++) {
      const { image } = await fixture.images.addImage({ image: { imagePath: "x" } });
      const imageId = image?.id as bigint;
      const embeddings = Array.from({ length: 20 }, (_, i) => ({ key: String(i), ...withVector(unit) }));
      const [deleted, added] = await Promise.allSettled([
        fixture.images.deleteImage({ id: imageId }),
        fixture.images.addEmbeddings({ imageId, embeddings }),
      ]);
      expect(deleted.status).toBe("fulfilled");
      if (added.status === "rejected") expect(added.reason).toMatchObject({ kind: "not-found" });
      const { totalImages, totalEmbeddings } = await fixture.index.getStatistics({});
      expect([totalImages, totalEmbeddings]).toEqual([0n, 0n]);
    }
  });
});

test("GetStatistics counts and measures", async () => {
  expect(await fixture.index.getStatistics({})).toMatchObject({
    totalImages: 0n,
    totalEmbeddings: 0n,
    imagesWithoutEmbeddings: 0n,
    spaceId: "",
    indexes: [],
  });
  await fixture.images.addImage({ image: { imagePath: "bare" } });
  await fixture.images.addImageWithEmbeddings({ image: { imagePath: "x", description: "a" } });
  const statistics = await fixture.index.getStatistics({});
  expect(statistics).toMatchObject({
    totalImages: 2n,
    totalEmbeddings: 1n,
    imagesWithoutEmbeddings: 1n,
    spaceId: SPACE.id,
  });
  expect(statistics.imagesSizeBytes).toBeGreaterThan(8000n);
  expect(statistics.embeddingsSizeBytes).toBeGreaterThan(8000n);
});

test("users' own SQL finds the tables by their names, and its rows are served", async () => {
  const { rows } = await fixture.db.query<{ id: string }>(
    "INSERT INTO images (image_path) VALUES ('by/hand.png') RETURNING id",
  );
  await fixture.db.query(
    `INSERT INTO embeddings (image_id, embedding, model_type) VALUES ($1, array_fill(0.5, ARRAY[384])::vector, 'clip')`,
    [rows[0]?.id],
  );
  const found = await fixture.images.getImage({ key: { case: "imagePath", value: "by/hand.png" } });
  expect(found.embeddings).toMatchObject([{ modelType: "clip", modelName: "", spaceId: "" }]);
  const { hits, plan } = await fixture.search.search({ query: withVector(unit).source, exact: true });
  expect(hits.map((hit) => hit.image?.imagePath)).toEqual(["by/hand.png"]);
  expect(plan?.spaceId).toBe("");
});
