import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { KindredError } from "@kindred/errors";
import { createMetrics } from "@kindred/telemetry";
import { promptOutbox } from "../src/adapters/postgres/prompt-outbox.ts";
import { outboxMetrics } from "../src/adapters/telemetry/outbox-metrics.ts";
import { OutboxWorker, type OutboxWorkerDeps } from "../src/domain/outbox/outbox-worker.ts";
import type { Outbox } from "../src/domain/outbox/outbox.ts";
import type { Prompt, PromptCollection, RefusedPrompt } from "../src/domain/prompts/prompt-collection.ts";
import { useFixture } from "./use-fixture.ts";

const fixture = useFixture();
let outbox: Outbox;
beforeAll(async () => {
  outbox = promptOutbox(fixture.db);
}, 120_000);

const LEASE_MS = 60_000;

async function record(prompt: string): Promise<bigint> {
  const { generation } = await fixture.client.recordGeneration({ generation: { prompt } });
  return generation?.id as bigint;
}

/** generation_id and deleted of all rows. */
async function rows(): Promise<[string, boolean][]> {
  const { rows: found } = await fixture.db.query<{ generation_id: string; deleted: boolean }>(
    "SELECT generation_id, deleted FROM generation_outbox ORDER BY generation_id",
  );
  return found.map((row) => [row.generation_id, row.deleted]);
}

describe("what changes generations notes them", () => {
  test("recording, also by SQL of somebody's own, in the same transaction", async () => {
    const id = await record("a kite");
    await expect(
      fixture.db.transaction(async (client) => {
        await client.query("INSERT INTO generations (prompt) VALUES ('one'), ('two')");
        throw new KindredError("aborted", "rolled back");
      }),
    ).rejects.toThrow("rolled back");
    expect(await rows()).toEqual([[String(id), false]]);
    await fixture.db.query("INSERT INTO generations (prompt) SELECT 'p' FROM generate_series(1, 100)");
    expect(await rows()).toHaveLength(101);
  });

  test("deleting, another prompt, another id, and truncating; nothing else", async () => {
    const [gone, changed, same] = [await record("a"), await record("b"), await record("c")];
    await fixture.db.query("DELETE FROM generation_outbox");
    await fixture.db.query("DELETE FROM generations WHERE id = $1", [gone]);
    await fixture.db.query("UPDATE generations SET prompt = 'B', seed = 1 WHERE id = $1", [changed]);
    await fixture.db.query("UPDATE generations SET prompt = 'c', seed = 1, rating = 5 WHERE id = $1", [same]);
    expect(await rows()).toEqual([
      [String(gone), true],
      [String(changed), false],
    ]);
    await fixture.db.query("UPDATE generations SET id = 9000000000 WHERE id = $1", [same]);
    expect(await rows()).toEqual([
      [String(gone), true],
      [String(changed), false],
      [String(same), true],
      ["9000000000", false],
    ]);
    await fixture.db.query("TRUNCATE generations CASCADE");
    expect((await rows()).every(([, deleted]) => deleted)).toBe(true);
  });
});

describe("claims", () => {
  test("are one owner's until their lease is over; the newest come first", async () => {
    const ids = [await record("a"), await record("b"), await record("c")];
    const first = await outbox.claim(2, LEASE_MS);
    const second = await outbox.claim(2, LEASE_MS);
    expect(new Set(first?.generationIds)).toEqual(new Set(ids.slice(1)));
    expect(second?.generationIds).toEqual(ids.slice(0, 1));
    expect(await outbox.claim(2, LEASE_MS)).toBeUndefined();
    await fixture.db.query("UPDATE generation_outbox SET due_at = now() - INTERVAL '1 second'");
    expect((await outbox.claim(10, LEASE_MS))?.generationIds).toHaveLength(3);
  });

  test("that are over are not heard", async () => {
    const id = await record("a");
    const slow = await outbox.claim(1, 0);
    const quick = await outbox.claim(1, LEASE_MS);
    if (!slow || !quick) throw new Error("not claimed");
    await outbox.done(slow, [id]);
    expect(await rows()).toHaveLength(1);
    await outbox.done(quick, [id]);
    expect(await rows()).toEqual([]);
  });

  test("of a generation that is deleted meanwhile are followed by another one, and by none before they end", async () => {
    const id = await record("a");
    const claim = await outbox.claim(1, LEASE_MS);
    if (!claim) throw new Error("not claimed");
    expect(await outbox.read([id], 1e6)).toMatchObject({ prompts: [{ generationId: id, text: "a" }] });
    await fixture.db.query("DELETE FROM generations WHERE id = $1", [id]);
    // Else the deletion might overtake the prompt, which would be there for ever.
    expect(await outbox.claim(1, LEASE_MS)).toBeUndefined();
    await outbox.done(claim, [id]);
    const next = await outbox.claim(1, LEASE_MS);
    expect(next?.generationIds).toEqual([id]);
    expect(await outbox.read([id], 1e6)).toEqual({ prompts: [], gone: [id] });
  });

  test("are read as far as bytes go, and one prompt at least", async () => {
    const ids = [await record("x".repeat(600)), await record("y".repeat(600)), await record("z".repeat(600))];
    const gone = 1n;
    const read = async (bytes: number) => (await outbox.read([...ids, gone], bytes)).prompts.length;
    expect([await read(1), await read(1200), await read(1e6)]).toEqual([1, 2, 3]);
    expect((await outbox.read([...ids, gone], 1)).gone).toEqual([gone]);
  });

  test("are read whatever somebody's own SQL has written", async () => {
    const { rows: written } = await fixture.db.query<{ id: string }>(
      `INSERT INTO generations (prompt, created_at)
       VALUES (repeat('ü', 600000), '-infinity'), ('old', '1969-12-31T23:59:59.999999Z') RETURNING id`,
    );
    const { prompts } = await outbox.read(
      written.map(({ id }) => BigInt(id)),
      2 ** 30,
    );
    expect(prompts.map(({ createdAtMicros }) => createdAtMicros)).toEqual([undefined, -1n]);
    expect(Buffer.byteLength(prompts[0]?.text ?? "")).toBeLessThanOrEqual(2 ** 20);
  });

  test("fall back: a time that doubles, then set aside with the error, until the prompt changes", async () => {
    const id = await record("bad");
    const policy = { firstMs: 1000, mostMs: 3000, most: 3 };
    const delays: number[] = [];
    for (let failures = 1; failures <= 3; failures++) {
      await fixture.db.query("UPDATE generation_outbox SET due_at = now() - INTERVAL '1 second'");
      const claim = await outbox.claim(1, LEASE_MS);
      if (!claim) throw new Error("not claimed");
      const error = `no \0 good ${failures}`;
      expect(await outbox.setBack(claim, [{ generationId: id, error }], policy)).toBe(failures === 3 ? 1 : 0);
      const { rows: due } = await fixture.db.query<{ seconds: number }>(
        "SELECT extract(epoch FROM due_at - clock_timestamp())::float8 AS seconds FROM generation_outbox",
      );
      delays.push(Math.ceil(due[0]?.seconds ?? 0));
    }
    expect(delays).toEqual([1, 2, 3]);
    await fixture.db.query("UPDATE generation_outbox SET due_at = now() - INTERVAL '1 second'");
    expect(await outbox.claim(1, LEASE_MS)).toBeUndefined();
    expect(await outbox.state()).toMatchObject({ waiting: 0, setAside: 1, oldestSeconds: 0 });
    expect(await outbox.pendingPrompts({})).toBe(1n);
    const { rows: kept } = await fixture.db.query<{ error: string }>("SELECT error FROM generation_outbox");
    expect(kept).toEqual([{ error: "no  good 3" }]);
    await fixture.db.query("UPDATE generations SET prompt = 'better'");
    expect((await outbox.claim(1, LEASE_MS))?.generationIds).toEqual([id]);
  });

  test("are counted no further than anybody wants to know, however many wait", async () => {
    await fixture.db.query(
      `INSERT INTO generation_outbox (generation_id, deleted, failed_at, enqueued_at)
       SELECT i, i > 110000, CASE WHEN i > 100001 THEN now() END, now() - i * INTERVAL '1 second'
         FROM generate_series(1, 110010) i`,
    );
    expect(await outbox.pendingPrompts({})).toBe(10_000n);
    const { oldestSeconds, ...counts } = await outbox.state();
    expect(counts).toEqual({ waiting: 100_000, setAside: 10_009 });
    expect(oldestSeconds).toBeGreaterThanOrEqual(100_001);
    expect(oldestSeconds).toBeLessThan(110_000);
    await fixture.db.query("DELETE FROM generation_outbox WHERE generation_id BETWEEN 4 AND 110000");
    expect(await outbox.pendingPrompts({})).toBe(3n);
    expect(await outbox.state()).toMatchObject({ waiting: 3, setAside: 10 });
  });
});

/** A vector store's collection in memory, which fails when it is told to. */
class Shelf implements PromptCollection {
  items: Map<bigint, string> | undefined = new Map();
  calls = 0;
  /** Throws, or gives the prompts that are refused. */
  react: (prompts: readonly Prompt[]) => RefusedPrompt[] = () => [];

  #there(): Map<bigint, string> {
    if (!this.items) throw new KindredError("not-found", "no collection");
    return this.items;
  }
  async create(): Promise<void> {
    this.items ??= new Map();
  }
  async store(prompts: readonly Prompt[]): Promise<RefusedPrompt[]> {
    this.calls += 1;
    const items = this.#there();
    const refused = this.react(prompts);
    const bad = new Set(refused.map(({ generationId }) => generationId));
    for (const { generationId, text } of prompts) if (!bad.has(generationId)) items.set(generationId, text);
    return refused;
  }
  async remove(ids: readonly bigint[]): Promise<void> {
    const items = this.#there();
    for (const id of ids) items.delete(id);
  }
  nearest(): Promise<never> {
    throw new Error("nobody searches here");
  }
}

describe("the worker", () => {
  let open: AsyncDisposableStack;
  beforeEach(() => {
    open = new AsyncDisposableStack();
  });
  afterEach(() => open.disposeAsync());

  const told: Record<string, number> = {};
  const work = (shelf: Shelf, times: OutboxWorkerDeps["times"] = {}): OutboxWorker =>
    open.use(
      new OutboxWorker({
        outbox,
        collection: shelf,
        everyMs: 5,
        observer: { told: (outcome, count) => (told[outcome] = (told[outcome] ?? 0) + count) },
        log: { info: () => {}, warn: () => {} },
        times: { troubleMs: 2, mostTroubleMs: 10, turnMs: 200, setbackMs: 1, mostSetbackMs: 5, ...times },
      }),
    );
  const until = async (condition: () => boolean | Promise<boolean>): Promise<void> => {
    while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  const empty = async (): Promise<boolean> => (await outbox.state()).waiting === 0;
  const recordMany = async (count: number): Promise<Map<bigint, string>> => {
    const { rows: made } = await fixture.db.query<{ id: string; prompt: string }>(
      "INSERT INTO generations (prompt) SELECT 'p' || i FROM generate_series(1, $1::integer) AS i RETURNING id, prompt",
      [count],
    );
    return new Map(made.map(({ id, prompt }) => [BigInt(id), prompt]));
  };

  test("stores what is recorded and removes what is deleted", async () => {
    const shelf = new Shelf();
    work(shelf);
    const prompts = await recordMany(200);
    await until(async () => (await empty()) && shelf.items?.size === 200);
    expect(shelf.items).toEqual(prompts);
    await fixture.db.query("DELETE FROM generations WHERE prompt LIKE '%7%'");
    await until(empty);
    expect(shelf.items).toEqual(new Map([...prompts].filter(([, prompt]) => !prompt.includes("7"))));
  });

  test("several of them together store everything; a killed one's leases end", async () => {
    const shelf = new Shelf();
    const prompts = await recordMany(500);
    await outbox.claim(100, 300);
    for (let i = 0; i < 3; i++) work(shelf, { maxBatch: 16 });
    await until(empty);
    expect(shelf.items).toEqual(prompts);
  });

  test("one bad prompt is set aside, and no other one waits for it", async () => {
    const shelf = new Shelf();
    shelf.react = (prompts) => {
      if (prompts.some(({ text }) => text === "p13"))
        throw new KindredError("invalid-argument", "items.texts[0] …");
      return prompts.flatMap(({ generationId, text }) =>
        text === "p14" ? [{ generationId, reason: "texts bad" }] : [],
      );
    };
    const prompts = await recordMany(64);
    work(shelf);
    await until(empty);
    expect(shelf.items).toEqual(new Map([...prompts].filter(([, text]) => text !== "p13" && text !== "p14")));
    expect(shelf.calls).toBeLessThan(20);
    const { rows: aside } = await fixture.db.query<{ error: string; prompt: string }>(
      `SELECT o.error, g.prompt FROM generation_outbox o JOIN generations g ON g.id = o.generation_id
        WHERE o.failed_at IS NOT NULL ORDER BY g.id`,
    );
    expect(aside).toEqual([
      { error: "items.texts[0] …", prompt: "p13" },
      { error: "texts bad", prompt: "p14" },
    ]);
  });

  test("one that the store fails over is set aside only after some tries beside others that go through", async () => {
    const shelf = new Shelf();
    let fails = 0;
    shelf.react = (prompts) => {
      if (!prompts.some(({ text }) => text === "p3")) return [];
      if (prompts.length === 1) fails += 1;
      throw new KindredError("internal", "out of luck");
    };
    await recordMany(8);
    work(shelf, { mostFailures: 4 });
    await until(() => shelf.items?.size === 7);
    // Alone it is tried for ever: the store may be to blame.
    await until(() => fails > 6);
    expect((await outbox.state()).setAside).toBe(0);
    await until(async () => {
      await recordMany(2);
      return (await outbox.state()).setAside === 1;
    });
  });

  test("a prompt that brings the store down is alone in the end, and the others get through", async () => {
    const shelf = new Shelf();
    shelf.react = (prompts) => {
      if (prompts.some(({ text }) => text === "p40"))
        throw new KindredError("unavailable", "connection reset");
      return [];
    };
    const prompts = await recordMany(64);
    work(shelf);
    await until(() => shelf.items?.size === 63);
    expect(shelf.items).toEqual(new Map([...prompts].filter(([, text]) => text !== "p40")));
    // Nobody gives up what may be the network's fault.
    expect(await outbox.state()).toMatchObject({ waiting: 1, setAside: 0 });
  });

  test("while the store is away everything waits, and is stored once when it is back", async () => {
    const shelf = new Shelf();
    let away = true;
    shelf.react = () => {
      if (away) throw new KindredError("unavailable", "nobody there");
      return [];
    };
    const prompts = await recordMany(150);
    work(shelf);
    await until(() => shelf.calls > 10);
    expect((await outbox.state()).waiting).toBe(150);
    away = false;
    await until(empty);
    expect(shelf.items).toEqual(prompts);
  });

  test("a collection that is not there is made, with all that was recorded before", async () => {
    const shelf = new Shelf();
    shelf.items = undefined;
    const prompts = await recordMany(20);
    // Told of before, and set aside before: a new collection knows neither.
    await fixture.db.query("DELETE FROM generation_outbox WHERE generation_id % 2 = 0");
    await fixture.db.query("UPDATE generation_outbox SET failed_at = now() WHERE generation_id % 3 = 0");
    const worker = work(shelf);
    await until(async () => (await empty()) && shelf.items?.size === 20);
    expect(shelf.items).toEqual(prompts);
    shelf.items = undefined;
    worker.collectionIsMissing();
    await until(async () => shelf.items?.size === 20 && (await empty()));
    expect(shelf.items).toEqual(prompts);
  });

  test("a deletion of what was never stored needs no collection", async () => {
    const shelf = new Shelf();
    shelf.items = undefined;
    await recordMany(3);
    await fixture.db.query("DELETE FROM generations");
    work(shelf);
    await until(empty);
    expect(shelf.items).toBeUndefined();
  });
});

test("while no connection is free, metrics are shown before Prometheus gives up, and say that this is not known", async () => {
  using metrics = createMetrics({ component: "test" });
  outboxMetrics(metrics, outbox);
  const { pool } = fixture.db;
  using held = new DisposableStack();
  for (let i = 0; i < pool.stats().max; i++) {
    const client = await pool.acquire();
    held.defer(() => client.release());
  }
  // Prometheus' own scrape_timeout is ten seconds, and so is the time that a connection is waited for.
  const rendered = await Promise.race([metrics.render(), sleep(8000, undefined, { ref: false })]);
  expect(rendered?.body).toMatch(/^kindred_generation_outbox_pending\{component="test"\} Nan$/im);
  held.dispose();
  expect((await metrics.render()).body).toMatch(/^kindred_generation_outbox_pending/m);
});
