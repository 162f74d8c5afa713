import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { KindredError } from "@kindred/errors";
import { COLLECTION } from "../src/domain/collection.ts";
import { otherSpace, SPACE } from "./fake-embedding.ts";
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

const { createThings, createImages, createIndex, vectorsTable, expectAllIn, leftovers, managedTables } =
  movedCollections(() => fixture);

class Crash extends Error {}

describe("a move that is interrupted", () => {
  test.each([THINGS, COLLECTION])(
    "in %s at any step goes on from there",
    async (name) => {
      if (!hasVector(fixture)) return;
      const steps = await countSteps(name);
      expect(steps).toBeGreaterThan(8);
      for (let step = 0; step < steps; step++) {
        for (const moment of ["before", "after"] as const) {
          await reset(name);
          const move = await openMove(fixture, name, OTHER.id);
          const crash = interruptAt(step, moment, () => {
            throw new Crash();
          });
          await expect(move.run(crash)).rejects.toThrow(Crash);
          await change(name);
          await move.run();
          await expectAllIn(OTHER, name);
          expect([step, moment, await leftovers()]).toEqual([step, moment, []]);
        }
      }
    },
    300_000,
  );

  test.each([THINGS, COLLECTION])(
    "in %s by a cancellation at any step leaves everything as it was, or is done",
    async (name) => {
      if (!hasVector(fixture)) return;
      const steps = await countSteps(name);
      for (let step = 0; step < steps; step++) {
        await reset(name);
        const tables = await managedTables();
        const move = await openMove(fixture, name, OTHER.id);
        const cancelling = new AbortController();
        const cancel = interruptAt(step, "after", () =>
          cancelling.abort(new KindredError("cancelled", "somebody has cancelled it")),
        );
        const outcome = await move.run(cancel, cancelling.signal).then(
          () => "done",
          () => "cancelled",
        );
        if (outcome === "cancelled") {
          await move.cleanUp();
          expect([step, await managedTables()]).toEqual([step, tables]);
        }
        await expectAllIn(outcome === "done" ? OTHER : SPACE, name);
        expect([step, outcome, await leftovers()]).toEqual([step, outcome, []]);
      }
    },
    300_000,
  );

  test("is nobody's work any more where it was begun again", async () => {
    if (!hasVector(fixture)) return;
    await createThings(20);
    const move = await openMove(fixture, THINGS, OTHER.id);
    const error = await errorOf(
      move.run(async (step, moment) => {
        if (step !== "prepare" || moment === "before") return;
        const other = move.run((its, when) => {
          if (its === "write" && when === "after") throw new Crash();
        });
        await expect(other).rejects.toThrow(Crash);
      }),
    );
    expect(error.message).toMatch(/was begun again elsewhere/);
    await move.run();
    await expectAllIn(OTHER, THINGS, 20);
  }, 60_000);

  test("by the end of its collection leaves nothing", async () => {
    if (!hasVector(fixture)) return;
    await createThings(20);
    const id = (await vectorsTable()).replace(/_vectors/, "");
    const move = await openMove(fixture, THINGS, OTHER.id);
    const crash = interruptAt(3, "after", () => {
      throw new Crash();
    });
    await expect(move.run(crash)).rejects.toThrow(Crash);
    expect((await managedTables()).some((table) => table === `${id}_vectors_2`)).toBe(true);
    await fixture.collections.deleteCollection({ name: THINGS });
    await move.cleanUp();
    expect((await managedTables()).filter((table) => table.startsWith(id))).toEqual([]);
    expect(await leftovers()).toEqual([]);
  }, 60_000);

  async function countSteps(name: string): Promise<number> {
    await reset(name);
    const move = await openMove(fixture, name, OTHER.id);
    await move.run();
    return move.steps.length;
  }

  async function reset(name: string): Promise<void> {
    await fixture.clear();
    fixture.embedding.others = [OTHER, WIDE];
    if (name === THINGS) await createThings(30);
    else await createImages(30);
    await createIndex(await vectorsTable(name));
  }

  /** What happens between a crash and the next start. */
  async function change(name: string): Promise<void> {
    if (name === THINGS) {
      const keys = [keyOf(3), keyOf(1000)];
      await fixture.vectors.upsert({
        collection: THINGS,
        items: { keys, texts: [textOf(3, 1), textOf(1000)] },
      });
      await fixture.vectors.deleteItems({
        collection: THINGS,
        which: { case: "keys", value: { keys: [keyOf(4)] } },
      });
      return;
    }
    await fixture.images.addImageWithEmbeddings({
      image: { imagePath: "meanwhile.png", description: textOf(1000) },
    });
    await fixture.db.query("DELETE FROM images WHERE image_path = $1", [`${keyOf(4)}.png`]);
  }
});

function interruptAt(at: number, moment: "before" | "after", interrupt: () => void) {
  let [begun, ended] = [-1, -1];
  return (_: string, now: "before" | "after"): void => {
    const place = now === "before" ? ++begun : ++ended;
    if (place === at && now === moment) interrupt();
  };
}
