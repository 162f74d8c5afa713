import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { OnConflict, type ImageWithEmbeddingsSchema } from "@kindred/contracts/vector-store/v1";
import { KindredError } from "@kindred/errors";
import { packVectors } from "@kindred/rpc";
import { DIMENSIONS, SPACE } from "./fake-embedding.ts";
import { errorOf, openFixture, streamOf, type Fixture } from "./fixture.ts";

type ImageInit = MessageInitShape<typeof ImageWithEmbeddingsSchema>;
interface Batch {
  images: ImageInit[];
  onConflict?: OnConflict;
}

let fixture: Fixture;

beforeAll(async () => {
  fixture = await openFixture();
}, 60_000);
afterAll(async () => {
  await fixture?.[Symbol.asyncDispose]();
});
beforeEach(() => fixture.clear());

const COLOURS = ["red", "green", "blue", "black", "white"];

/** Images `first` to `first + count - 1`, five captions each. */
function batchOf(first: number, count: number): Batch {
  return {
    images: Array.from({ length: count }, (_, i) => ({
      image: {
        imagePath: `coco/${String(first + i).padStart(6, "0")}.jpg`,
        width: 640,
        sourceDataset: "coco",
      },
      embeddings: COLOURS.map((colour, c) => ({
        key: `caption-${c}`,
        source: { case: "text" as const, value: `${colour} thing number ${first + i}` },
      })),
    })),
  };
}

async function counts(): Promise<{ images: number; embeddings: number; distinct: number }> {
  const { rows } = await fixture.db.query<{ images: number; embeddings: number; distinct: number }>(
    `SELECT (SELECT count(*)::int FROM images) AS images, (SELECT count(*)::int FROM embeddings) AS embeddings,
            (SELECT count(*)::int FROM (SELECT DISTINCT image_id, embedding_key FROM embeddings) d) AS distinct`,
  );
  return rows[0] as { images: number; embeddings: number; distinct: number };
}

describe("BatchAddImages", () => {
  test("stores every batch with one Embed call each; again, it adds and embeds nothing", async () => {
    const batches = [batchOf(0, 40), batchOf(40, 40), batchOf(80, 20)];
    const first = await fixture.images.batchAddImages(streamOf(...batches));
    expect(first).toMatchObject({
      batches: 3n,
      imagesAdded: 100n,
      imagesExisting: 0n,
      embeddingsAdded: 500n,
      embeddingsExisting: 0n,
    });
    expect(fixture.embedding.calls.map((texts) => texts.length)).toEqual([200, 200, 100]);
    expect(await counts()).toEqual({ images: 100, embeddings: 500, distinct: 500 });

    const second = await fixture.images.batchAddImages(streamOf(...batches));
    expect(second).toMatchObject({
      batches: 3n,
      imagesAdded: 0n,
      imagesExisting: 100n,
      embeddingsAdded: 0n,
      embeddingsExisting: 500n,
    });
    expect(fixture.embedding.calls).toHaveLength(3);
    expect(await counts()).toEqual({ images: 100, embeddings: 500, distinct: 500 });
  });

  test("adds the embeddings that an image lacks, and embeds only those", async () => {
    await fixture.images.batchAddImages(streamOf(batchOf(0, 2)));
    fixture.embedding.calls.length = 0;
    const more = batchOf(0, 3);
    const [first] = more.images as [ImageInit];
    const extra = { key: "extra", source: { case: "text" as const, value: "an extra caption" } };
    more.images[0] = { ...first, embeddings: [...(first.embeddings ?? []), extra] } as ImageInit;
    const reply = await fixture.images.batchAddImages(streamOf(more));
    expect(reply).toMatchObject({
      imagesAdded: 1n,
      imagesExisting: 2n,
      embeddingsAdded: 6n,
      embeddingsExisting: 10n,
    });
    expect(fixture.embedding.calls.flat()).toHaveLength(6);
    expect(await counts()).toEqual({ images: 3, embeddings: 16, distinct: 16 });
  });

  test("keeps the stored image as it is", async () => {
    await fixture.images.addImage({ image: { imagePath: "coco/000000.jpg", description: "mine" } });
    await fixture.images.batchAddImages(streamOf(batchOf(0, 1)));
    const { rows } = await fixture.db.query("SELECT description, width FROM images");
    expect(rows).toEqual([{ description: "mine", width: null }]);
  });

  test("a failing batch leaves those before it stored, and says how many", async () => {
    const bad = batchOf(20, 10);
    Object.assign(bad.images[3]?.image as object, { imagePath: "x".repeat(501) });
    const error = await errorOf(
      fixture.images.batchAddImages(streamOf(batchOf(0, 10), batchOf(10, 10), bad, batchOf(30, 10))),
    );
    expect(error.kind).toBe("invalid-argument");
    expect(error.violations.map((violation) => violation.field)).toEqual(["images[3].image.image_path"]);
    expect(error.metadata).toMatchObject({
      batches_stored: "2",
      images_added: "20",
      embeddings_added: "100",
    });
    expect(await counts()).toEqual({ images: 20, embeddings: 100, distinct: 100 });
  });

  test("a batch that cannot be embedded leaves those before it stored, while later ones are in flight", async () => {
    fixture.embedding.before = async (texts) => {
      if (texts[0]?.endsWith("number 20")) throw new KindredError("unavailable", "gone", { retryAfterMs: 7 });
    };
    const error = await errorOf(
      fixture.images.batchAddImages(
        streamOf(batchOf(0, 10), batchOf(10, 10), batchOf(20, 10), batchOf(30, 10), batchOf(40, 10)),
      ),
    );
    expect(error).toMatchObject({ kind: "unavailable", retryAfterMs: 7 });
    expect(error.metadata).toMatchObject({ batches_stored: "2" });
    expect(await counts()).toEqual({ images: 20, embeddings: 100, distinct: 100 });
  });

  test("ON_CONFLICT_ERROR refuses a batch whole", async () => {
    await fixture.images.batchAddImages(streamOf(batchOf(5, 1)));
    const batch = { ...batchOf(0, 10), onConflict: OnConflict.ERROR };
    const error = await errorOf(fixture.images.batchAddImages(streamOf(batch)));
    expect(error.kind).toBe("already-exists");
    expect(error.metadata).toMatchObject({ image_path: "coco/000005.jpg", batches_stored: "0" });
    expect(await counts()).toEqual({ images: 1, embeddings: 5, distinct: 5 });
  });

  test("concurrent streams with the same images in other orders neither deadlock nor double", async () => {
    const reversed = (batch: Batch): Batch => ({ ...batch, images: batch.images.toReversed() });
    const streams = Array.from({ length: 6 }, (_, i) => {
      const batches = [batchOf(0, 50), batchOf(25, 50), batchOf(50, 50)].map(
        i % 2 === 0 ? reversed : (b) => b,
      );
      return fixture.images.batchAddImages(streamOf(...(i % 3 === 0 ? batches.toReversed() : batches)));
    });
    const replies = await Promise.all(streams);
    expect(await counts()).toEqual({ images: 100, embeddings: 500, distinct: 500 });
    expect(replies.reduce((sum, reply) => sum + reply.imagesAdded, 0n)).toBe(100n);
    expect(replies.reduce((sum, reply) => sum + reply.embeddingsAdded, 0n)).toBe(500n);
  });

  test("embeds ahead of writing, and not without bound", async () => {
    const gate = Promise.withResolvers<void>();
    fixture.embedding.before = () => gate.promise;
    let sent = 0;
    const source = (async function* () {
      for (let i = 0; i < 20; i++) {
        sent += 1;
        yield batchOf(i, 1);
      }
    })();
    const call = fixture.images.batchAddImages(source);
    while (fixture.embedding.calls.length < 3) await sleep(5);
    await sleep(50);
    // Three are being embedded before the first is written; the fourth was not even asked of the caller.
    expect(fixture.embedding.calls).toHaveLength(3);
    expect(sent).toBeLessThanOrEqual(4);
    gate.resolve();
    expect((await call).batches).toBe(20n);
    expect(fixture.embedding.calls.map((texts) => texts[0])).toEqual(
      Array.from({ length: 20 }, (_, i) => `red thing number ${i}`),
    );
  });

  test("stores a batch while the caller is silent", async () => {
    const more = Promise.withResolvers<void>();
    const source = (async function* () {
      yield batchOf(0, 1);
      await more.promise;
    })();
    const call = fixture.images.batchAddImages(source);
    while ((await counts()).images === 0) await sleep(10);
    more.resolve();
    expect((await call).batches).toBe(1n);
  });

  test("a caller that gives up leaves whole batches, and nothing of the one that was being embedded", async () => {
    const giveUp = new AbortController();
    const hanging = Promise.withResolvers<void>();
    fixture.embedding.before = async (texts, { signal }) => {
      if (!texts[0]?.endsWith("number 20")) return;
      hanging.resolve();
      await new Promise((_, reject) =>
        signal?.addEventListener("abort", () => reject(signal.reason as Error)),
      );
    };
    const batches = streamOf(batchOf(0, 10), batchOf(10, 10), batchOf(20, 10));
    const call = errorOf(fixture.images.batchAddImages(batches, { signal: giveUp.signal }));
    await hanging.promise;
    while ((await counts()).images < 20) await sleep(5);
    giveUp.abort();
    expect((await call).kind).toBe("cancelled");
    expect(await counts()).toEqual({ images: 20, embeddings: 100, distinct: 100 });
  });

  test("an empty stream stores nothing", async () => {
    expect(await fixture.images.batchAddImages(streamOf())).toMatchObject({ batches: 0n, imagesAdded: 0n });
  });
});

describe("the embedding space", () => {
  const vector = packVectors(Float32Array.from({ length: DIMENSIONS }, (_, i) => (i === 1 ? 1 : 0)));
  const other = "other:model@2:384:cls:l2:512";
  const withSpace = (path: string, spaceId: string): Batch => ({
    images: [
      {
        image: { imagePath: path },
        embeddings: [{ source: { case: "vector", value: { data: vector, spaceId } } }],
      },
    ],
  });

  test("is pinned by the first embedding; vectors and texts of another are refused, naming both", async () => {
    await fixture.images.batchAddImages(streamOf(withSpace("a.png", other)));
    const { spaceId } = await fixture.index.getStatistics({});
    expect(spaceId).toBe(other);
    const { rows } = await fixture.db.query(
      "SELECT model, dimensions, pooling, max_tokens FROM embedding_spaces",
    );
    expect(rows).toEqual([{ model: "model", dimensions: 384, pooling: "cls", max_tokens: 512 }]);

    for (const bad of [batchOf(0, 1), withSpace("b.png", SPACE.id)]) {
      const error = await errorOf(fixture.images.batchAddImages(streamOf(bad)));
      expect(error.kind).toBe("failed-precondition");
      expect(error.message).toContain(JSON.stringify(other));
      expect(error.message).toContain(JSON.stringify(SPACE.id));
    }
    expect((await counts()).images).toBe(1);
  });

  test("of several first embeddings that come at once one wins", async () => {
    const spaces = Array.from({ length: 4 }, (_, i) => `p:m${i}@1:384:mean:l2:256`);
    const results = await Promise.allSettled(
      spaces.map((space, i) => fixture.images.batchAddImages(streamOf(withSpace(`${i}.png`, space)))),
    );
    const won = results.flatMap((result, i) => (result.status === "fulfilled" ? [spaces[i]] : []));
    expect(won).toHaveLength(1);
    expect((await fixture.index.getStatistics({})).spaceId).toBe(won[0]);
    expect((await counts()).images).toBe(1);
  });

  test("is that of the embedding service when nobody names one", async () => {
    await fixture.images.batchAddImages(streamOf(withSpace("a.png", "")));
    expect((await fixture.index.getStatistics({})).spaceId).toBe(SPACE.id);
  });

  test("has to have an id that says what it is", async () => {
    const error = await errorOf(fixture.images.batchAddImages(streamOf(withSpace("a.png", "another"))));
    expect(error.violations.map((violation) => violation.field)).toEqual([
      "images[0].embeddings[0].vector.space_id",
    ]);
    expect((await counts()).images).toBe(0);
  });
});
