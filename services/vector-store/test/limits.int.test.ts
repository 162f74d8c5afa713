import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import pg from "pg";
import { errorOf, openFixture, type Fixture } from "./fixture.ts";

/** So that a few calls take all there are. */
const POOL = { DB_POOL_SIZE: "2", DB_MAX_OVERFLOW: "0", DB_POOL_TIMEOUT: "200ms" };
const DEADLINE_MS = 300;

let fixture: Fixture;
let imageId: bigint;

beforeAll(async () => {
  fixture = await openFixture({ settings: POOL });
});
afterAll(async () => {
  await fixture?.[Symbol.asyncDispose]();
});
beforeEach(async () => {
  await fixture.clear();
  const { image } = await fixture.images.addImageWithEmbeddings({
    image: { imagePath: "a.png", description: "a cat" },
  });
  imageId = image?.id as bigint;
});

type Options = { timeoutMs?: number; signal?: AbortSignal };

/** Every call that needs the images and embeddings. */
const CALLS: Record<string, (options: Options) => Promise<unknown>> = {
  addImage: (options) => fixture.images.addImage({ image: { imagePath: "b.png" } }, options),
  addImageWithEmbeddings: (options) =>
    fixture.images.addImageWithEmbeddings({ image: { imagePath: "b.png", description: "b" } }, options),
  getImage: (options) => fixture.images.getImage({ key: { case: "id", value: imageId } }, options),
  listImages: (options) => fixture.images.listImages({}, options),
  updateImage: (options) => fixture.images.updateImage({ id: imageId, description: "c" }, options),
  deleteImage: (options) => fixture.images.deleteImage({ id: imageId }, options),
  search: (options) => fixture.search.search({ query: { case: "text", value: "cat" } }, options),
  statistics: (options) => fixture.index.getStatistics({}, options),
};

/** While `work` runs, nobody else gets at the images. */
async function locked(work: () => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: fixture.url });
  await client.connect();
  try {
    await client.query("BEGIN");
    await client.query("LOCK TABLE vector_store.images, vector_store.embeddings");
    await work();
  } finally {
    await client.query("ROLLBACK");
    await client.end();
  }
}

async function waitingStatements(): Promise<number> {
  const client = new pg.Client({ connectionString: fixture.url });
  await client.connect();
  try {
    const { rows } = await client.query<{ waiting: string }>(
      `SELECT count(*) AS waiting FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()`,
    );
    return Number(rows[0]?.waiting);
  } finally {
    await client.end();
  }
}

async function becomes(wanted: number): Promise<number> {
  const giveUpAt = performance.now() + 5000;
  for (;;) {
    const now = await waitingStatements();
    if (now === wanted || performance.now() > giveUpAt) return now;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const describeSessions = process.env["KINDRED_TEST_DATABASE"] === "pglite" ? describe.skip : describe;
if (describeSessions === describe.skip) {
  process.stderr.write("not run: calls that wait for a lock; this server has one session for everybody\n");
}

describeSessions("while others hold a lock", () => {
  test.each(Object.keys(CALLS))("%s ends at its deadline, in the database too", async (name) => {
    await locked(async () => {
      const error = await errorOf(CALLS[name]?.({ timeoutMs: DEADLINE_MS }) as Promise<unknown>);
      expect(error.kind).toBe("deadline-exceeded");
      expect(await becomes(0)).toBe(0);
    });
    // And its connection is of use again.
    await CALLS["getImage"]?.({ timeoutMs: 10_000 });
  });

  test.each(Object.keys(CALLS))("%s that is cancelled is cancelled in the database", async (name) => {
    await locked(async () => {
      const cancelling = new AbortController();
      const error = errorOf(CALLS[name]?.({ signal: cancelling.signal }) as Promise<unknown>);
      expect(await becomes(1)).toBe(1);
      cancelling.abort();
      expect((await error).kind).toBe("cancelled");
      expect(await becomes(0)).toBe(0);
    });
  });

  test("calls that find no free connection are told when to come back", async () => {
    await locked(async () => {
      const cancelling = new AbortController();
      const held = [1, 2].map(() =>
        errorOf(CALLS["listImages"]?.({ signal: cancelling.signal }) as Promise<unknown>),
      );
      expect(await becomes(2)).toBe(2);
      const error = await errorOf(CALLS["getImage"]?.({}) as Promise<unknown>);
      expect(error.kind).toBe("resource-exhausted");
      expect(error.retryAfterMs).toBeGreaterThan(0);
      cancelling.abort();
      await Promise.all(held);
    });
  });
});
