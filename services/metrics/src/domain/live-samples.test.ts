import { expect, test } from "@jest/globals";
import { createLiveSamples, type LiveStore } from "./live-samples.ts";
import type { StoredSample } from "./sample.ts";

/** Samples that are there, and looks that can be held up. */
function heldStore() {
  const ids: bigint[] = [];
  let gate: Promise<void> = Promise.resolve();
  const looked: (() => void)[] = [];
  let away = false;
  const store: LiveStore = {
    latestId: () => Promise.resolve(ids.at(-1) ?? 0n),
    async after(id) {
      const found = ids
        .filter((each) => each > id)
        .map((each) => ({ id: each, component: "a" }) as StoredSample);
      for (const tell of looked.splice(0)) tell();
      if (away) throw new Error("the database is away");
      await gate;
      return found;
    },
    recent() {
      // Comes when the backlog has just been read.
      ids.push(BigInt(ids.length + 1));
      return Promise.resolve([]);
    },
  };
  return {
    ids,
    store,
    /** Resolves when the next look has seen what there is. */
    nextLook: () => new Promise<void>((resolve) => looked.push(resolve)),
    away(value: boolean): void {
      away = value;
    },
    hold(): () => void {
      const held = Promise.withResolvers<void>();
      gate = held.promise;
      return () => {
        gate = Promise.resolve();
        held.resolve();
      };
    },
  };
}

test("who begins while the last look for somebody who has gone is under way misses nothing", async () => {
  const held = heldStore();
  await using live = createLiveSamples({
    store: held.store,
    everyMs: 2,
    maxWaiting: 100,
    log: { warn: () => {} },
  });
  const stopFirst = new AbortController();
  const first = live.watch({ components: [], backlogMinutes: 0, signal: stopFirst.signal });
  const firstNext = first.next();
  await held.nextLook();
  await held.nextLook();
  const release = held.hold();
  await held.nextLook();
  stopFirst.abort();
  expect(await firstNext).toMatchObject({ done: true });

  const second = live.watch({ components: [], backlogMinutes: 1, signal: new AbortController().signal });
  const secondNext = second.next();
  release();
  expect(await secondNext).toMatchObject({ value: { samples: [{ id: 1n }], dropped: 0 } });
});

test("while the database is away, watchers wait, with one line in the log; then they get what came meanwhile", async () => {
  const held = heldStore();
  const warnings: string[] = [];
  await using live = createLiveSamples({
    store: held.store,
    everyMs: 2,
    maxWaiting: 100,
    log: { warn: (_, message) => warnings.push(message) },
  });
  const watch = live.watch({ components: [], backlogMinutes: 0, signal: new AbortController().signal });
  const next = watch.next();
  await held.nextLook();
  for (let i = 0; i < 2; i++) {
    held.away(true);
    for (let looks = 0; looks < 5; looks++) await held.nextLook();
    held.ids.push(BigInt(i + 1));
    held.away(false);
    const { value } = await (i === 0 ? next : watch.next());
    expect(value).toMatchObject({ samples: [{ id: BigInt(i + 1) }] });
  }
  expect(warnings).toEqual(["watchers get no samples for now", "watchers get no samples for now"]);
});
