import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { ElementType } from "@kindred/contracts/vector-store/v1";
import { COLLECTION } from "../src/domain/collection.ts";
import { otherSpace, SPACE, vectorIn } from "./fake-embedding.ts";
import { errorOf, openFixture, type Fixture } from "./fixture.ts";
import { hasVector } from "./items-fixture.ts";
import { keyOf, movedCollections, textOf, THINGS } from "./moved-collections.ts";
import { openMove } from "./moves-harness.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await openFixture();
}, 60_000);
afterAll(async () => {
  await fixture?.[Symbol.asyncDispose]();
});

const OTHER = otherSpace();
const WIDE = otherSpace(96);
beforeEach(async () => {
  await fixture.clear();
  await fixture.db.query("DELETE FROM operations");
  fixture.embedding.others = [OTHER, WIDE];
});

const {
  createThings,
  createImages,
  createIndex,
  vectorsTable,
  storedVectors,
  expectAllIn,
  leftovers,
  managedTables,
  search,
} = movedCollections(() => fixture);

describe("a move", () => {
  test.each([
    ["with other numbers", OTHER],
    ["with other dimensions", WIDE],
  ])(
    "of a managed collection into a space %s",
    async (_, space) => {
      if (!hasVector(fixture)) return;
      await createThings(700);
      await createIndex(await vectorsTable());
      const move = await openMove(fixture, THINGS, space.id);
      const result = await move.run();
      expect(result).toMatchObject({ space_id: space.id, previous_space_id: SPACE.id });
      expect([...move.phases].map((phase) => phase.replace(/:.*/, ""))).toEqual(
        expect.arrayContaining(["prepare", "backfill", "index", "validate", "cut over", "drop"]),
      );
      await expectAllIn(space, THINGS, 700);
      expect(await leftovers()).toEqual([]);
      const table = await vectorsTable();
      expect(table).toMatch(/_vectors_2$/);
      const { collection } = await fixture.collections.getCollection({ name: THINGS });
      expect(collection).toMatchObject({
        spaceId: space.id,
        dimensions: space.dimensions,
        reembeddingSpaceId: "",
      });
      const { indexes } = await fixture.store.search.state(await fixture.store.collections.get(THINGS));
      expect(indexes.map(({ name }) => name)).toEqual([`${table}_embedding_hnsw_idx`]);
      const { hits, plan } = await search(THINGS, textOf(42));
      expect(plan?.spaceId).toBe(space.id);
      expect(hits[0]?.key).toBe(keyOf(42));
      expect(hits[0]?.similarity).toBeCloseTo(1, 3);
    },
    60_000,
  );

  test("of 16-bit floats, and there and back again", async () => {
    if (!hasVector(fixture)) return;
    await createThings(50, { elementType: ElementType.HALFVEC });
    await (await openMove(fixture, THINGS, WIDE.id)).run();
    await expectAllIn(WIDE, THINGS, 50);
    await (await openMove(fixture, THINGS, SPACE.id)).run();
    await expectAllIn(SPACE, THINGS, 50);
    expect(await vectorsTable()).toMatch(/_vectors_3$/);
    expect(await leftovers()).toEqual([]);
  }, 60_000);

  test("of partitions makes partitions", async () => {
    if (!hasVector(fixture)) return;
    await createThings(200, { hashPartitions: 3 });
    await (await openMove(fixture, THINGS, OTHER.id)).run();
    await expectAllIn(OTHER, THINGS, 200);
    const table = await vectorsTable();
    const { rows } = await fixture.db.query(
      `SELECT 1 FROM pg_inherits WHERE inhparent = 'vector_store.${table}'::regclass`,
    );
    expect(rows).toHaveLength(3);
    expect(await leftovers()).toEqual([]);
  }, 60_000);

  test("of the images keeps ids, names, sequences and cascades", async () => {
    if (!hasVector(fixture)) return;
    const { db, images } = fixture;
    await createImages(300);
    await createIndex("embeddings");
    await db.query("ALTER TABLE embeddings ADD COLUMN noted_by_user TEXT DEFAULT 'mine'");
    await db.query("CREATE INDEX embeddings_noted_idx ON embeddings (noted_by_user)");
    try {
      const before = { tables: await managedTables(), rows: await contents() };
      const move = await openMove(fixture, COLLECTION, OTHER.id);
      await move.run();
      await expectAllIn(OTHER, COLLECTION, 300);
      expect(await leftovers()).toEqual([]);
      expect(await managedTables()).toEqual(before.tables);
      expect(await contents()).toEqual(before.rows);
      const spaces = await db.query("SELECT DISTINCT space_id FROM embeddings");
      expect(spaces.rows).toEqual([{ space_id: OTHER.id }]);
      // The sequence goes on, and a deleted image takes its embeddings with it.
      const last = before.rows.at(-1)?.id as string;
      const added = await images.addImageWithEmbeddings({
        image: { imagePath: "new.png", description: "one more" },
      });
      const { rows } = await db.query<{ id: string; image_id: string }>(
        "SELECT id, image_id FROM embeddings ORDER BY id DESC LIMIT 1",
      );
      expect(Number(rows[0]?.id)).toBe(Number(last) + 1);
      expect(added.image?.id).toBe(BigInt(rows[0]?.image_id as string));
      await db.query("DELETE FROM images WHERE id = $1", [rows[0]?.image_id]);
      expect((await db.query("SELECT 1 FROM embeddings WHERE id = $1", [rows[0]?.id])).rows).toEqual([]);
      const found = await search(COLLECTION, textOf(7));
      expect(found.plan?.spaceId).toBe(OTHER.id);
      expect(found.hits[0]?.image?.description).toBe(textOf(7));
    } finally {
      await db.query("ALTER TABLE embeddings DROP COLUMN noted_by_user");
    }

    async function contents(): Promise<{ id: string }[]> {
      const { rows } = await db.query<{ id: string }>(
        `SELECT id, image_id, embedding_key, embedding_type, model_type, model_name, embedding_metadata, created_at, noted_by_user
           FROM embeddings ORDER BY id`,
      );
      return rows;
    }
  }, 60_000);

  test.each([THINGS, COLLECTION])(
    "of %s while it is written to and searched",
    async (name) => {
      if (!hasVector(fixture)) return;
      const managed = name === THINGS;
      if (managed) await createThings(600);
      else await createImages(600);
      const versions = new Map(Array.from({ length: 600 }, (_, i) => [i, 0]));
      const stop = new AbortController();
      const failures: unknown[] = [];
      const seen = new Set<string>();
      let searches = 0;
      const looping = async (work: (turn: number) => Promise<void>): Promise<void> => {
        for (let turn = 0; !stop.signal.aborted; turn++) {
          try {
            await work(turn);
          } catch (error) {
            failures.push(error);
          }
          await sleep(2);
        }
      };
      const searching = looping(async (turn) => {
        // The first hundred are not written to.
        const number = (turn * 7) % 100;
        const { hits, plan } = await search(name, textOf(number), 2);
        searches++;
        seen.add(plan?.spaceId ?? "");
        const space = plan?.spaceId === OTHER.id ? OTHER : SPACE;
        expect(hits[0]?.similarity).toBeCloseTo(1, 3);
        expect(managed ? hits[0]?.key : hits[0]?.image?.description).toBe(
          managed ? keyOf(number) : textOf(number),
        );
        const second = hits[1];
        const text = managed ? second?.document : second?.image?.description;
        if (text)
          expect(second?.similarity).toBeCloseTo(
            cosine(vectorIn(space, textOf(number)), vectorIn(space, text)),
            3,
          );
      });
      const writing = looping(async (turn) => {
        const number = 100 + ((turn * 13) % 500);
        if (managed) await writeThing(number, turn, versions);
        else await writeImage(number, turn, versions);
      });
      const move = await openMove(fixture, name, OTHER.id);
      await move.run();
      await sleep(300);
      stop.abort();
      await Promise.all([searching, writing]);
      expect(failures).toEqual([]);
      expect(searches).toBeGreaterThan(20);
      expect([...seen].toSorted()).toEqual([OTHER.id, SPACE.id].toSorted());
      await expectAllIn(OTHER, name, versions.size);
      const texts = (await storedVectors(name)).map(({ text }) => text).toSorted();
      expect(texts).toEqual([...versions].map(([number, version]) => textOf(number, version)).toSorted());
      expect(await leftovers()).toEqual([]);
    },
    120_000,
  );
});

test("an image that is being deleted while its vectors are written does not end a move", async () => {
  if (!hasVector(fixture)) return;
  if (!fixture.db.capabilities.concurrentSessions) {
    process.stdout.write("not run: two transactions at once\n");
    return;
  }
  await createImages(20);
  const [{ id } = { id: "" }] = (
    await fixture.db.query<{ id: string }>("SELECT id FROM images ORDER BY id LIMIT 1")
  ).rows;
  let deletion: Promise<unknown> | undefined;
  const move = await openMove(fixture, "images", OTHER.id);
  await move.run(async (step, when) => {
    if (step !== "write" || when !== "before" || deletion) return;
    const deleted = Promise.withResolvers<void>();
    deletion = fixture.db.transaction(async (client) => {
      await client.query("DELETE FROM images WHERE id = $1", [id]);
      deleted.resolve();
      // The write is waiting by then.
      await sleep(500);
    });
    await deleted.promise;
  });
  await deletion;
  await expectAllIn(OTHER, "images", 19);
  expect(await leftovers()).toEqual([]);
}, 60_000);

async function writeThing(number: number, turn: number, versions: Map<number, number>): Promise<void> {
  const [keys, there] = [[keyOf(number)], versions.has(number)];
  if (there && turn % 5 === 0) {
    await fixture.vectors.deleteItems({ collection: THINGS, which: { case: "keys", value: { keys } } });
    versions.delete(number);
  } else if (there && turn % 5 === 1) {
    await fixture.vectors.updateMetadata({ collection: THINGS, keys, metadata: [{ turn }], merge: true });
  } else {
    await fixture.vectors.upsert({
      collection: THINGS,
      items: { keys, texts: [textOf(number, turn)] },
    });
    versions.set(number, turn);
  }
}

async function writeImage(number: number, turn: number, versions: Map<number, number>): Promise<void> {
  const known = await fixture.store.images.find({ imagePath: `${keyOf(number)}.png` }, {});
  if (known) {
    await fixture.images.deleteImage({ id: known.id });
    versions.delete(number);
  }
  if (turn % 5 === 0) return;
  await fixture.images.addImageWithEmbeddings({
    image: { imagePath: `${keyOf(number)}.png`, description: textOf(number, turn) },
  });
  versions.set(number, turn);
}

describe("items without a text", () => {
  test("refuse a move, by name", async () => {
    if (!hasVector(fixture)) return;
    await createThings(3);
    await fixture.vectors.updateMetadata({ collection: THINGS, keys: [keyOf(1)], documents: [""] });
    const error = await errorOf(
      fixture.collections.startReembedding({ collection: THINGS, spaceId: OTHER.id }),
    );
    expect(error.kind).toBe("failed-precondition");
    expect(error.message).toContain(`1 item of "things" has no text to embed, e.g. "${keyOf(1)}"`);
  });

  test("that come meanwhile end it, and nothing has changed", async () => {
    if (!hasVector(fixture)) return;
    await createThings(30);
    const tables = await managedTables();
    const move = await openMove(fixture, THINGS, OTHER.id);
    const error = await errorOf(
      move.run(async (step, moment) => {
        if (step === "textless" && moment === "before") await setDocument(2, null);
      }),
    );
    expect(error.message).toContain(keyOf(2));
    expect(error.kind).toBe("failed-precondition");
    await move.cleanUp();
    expect(await managedTables()).toEqual(tables);
    expect(await leftovers()).toEqual([]);
  }, 60_000);

  test("that are given one in time are moved", async () => {
    if (!hasVector(fixture)) return;
    await createThings(30);
    const move = await openMove(fixture, THINGS, OTHER.id);
    await move.run(async (step, moment) => {
      if (step === "page" && moment === "before") await setDocument(2, null);
      if (step === "textless" && moment === "before") await setDocument(2, "late");
    });
    const stored = await storedVectors(THINGS);
    expect(stored[2]?.text).toBe("late");
    await expectAllIn(OTHER, THINGS, 30);
  }, 60_000);

  async function setDocument(number: number, document: string | null): Promise<void> {
    const table = (await vectorsTable()).replace(/_vectors.*/, "_items");
    await fixture.db.query(`UPDATE ${table} SET document = $1 WHERE key = $2`, [document, keyOf(number)]);
  }
});

describe("a start is refused", () => {
  test("for the space that the collection has, one that nobody serves, and a model that is not there", async () => {
    if (!hasVector(fixture)) return;
    await createThings(2);
    const start = (target: object) =>
      errorOf(fixture.collections.startReembedding({ collection: THINGS, ...target }));
    expect((await start({ spaceId: SPACE.id })).message).toContain("is in the embedding space");
    expect((await start({ spaceId: "a:b@1:2:mean:l2:3" })).kind).toBe("failed-precondition");
    expect((await start({ model: "nothing" })).kind).toBe("not-found");
  });

  test("for collections that cannot be moved", async () => {
    if (!hasVector(fixture)) return;
    const { db, collections } = fixture;
    const start = (collection: string, spaceId = OTHER.id) =>
      errorOf(collections.startReembedding({ collection, spaceId }));
    await db.query("CREATE TABLE public.of_users (id text PRIMARY KEY, v vector(384))");
    await collections.registerCollection({ name: "theirs", table: { schema: "public", table: "of_users" } });
    expect((await start("theirs")).message).toContain("its table is its owner's");
    await collections.createCollection({ name: "bits", dimensions: 8, elementType: ElementType.BIT });
    expect((await start("bits")).message).toContain("it keeps bits");
    expect((await start(COLLECTION, WIDE.id)).message).toContain("keeps vectors of 384 dimensions");
    expect((await start("nothing")).kind).toBe("not-found");
    await db.query("CREATE VIEW seen AS SELECT id FROM embeddings");
    try {
      expect((await start(COLLECTION)).message).toMatch(/with it would go the view or rule seen/);
    } finally {
      await db.query("DROP VIEW seen");
    }
  });
});

function cosine(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] as number), 0);
}
