import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { packVectors } from "@kindred/rpc";
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
