import { expect, test } from "@jest/globals";
import { QueryReservoir } from "./recent-queries.ts";

const createdAt = new Date(0);
const collection = (name: string) => ({ name, space: undefined, createdAt });

test("at most fifty queries of a collection are kept, each with the same chance", () => {
  const kept = new Map<number, number>();
  for (let round = 0; round < 400; round++) {
    const reservoir = new QueryReservoir();
    for (let i = 0; i < 200; i++) reservoir.note(collection("songs"), Uint8Array.of(i));
    const taken = reservoir.take();
    expect(taken).toHaveLength(50);
    for (const { vector } of taken) kept.set(vector[0] as number, (kept.get(vector[0] as number) ?? 0) + 1);
    expect(reservoir.take()).toEqual([]);
  }
  // Each is expected 100 times; five standard deviations of 8.7.
  for (let i = 0; i < 200; i++) expect(Math.abs((kept.get(i) ?? 0) - 100)).toBeLessThan(44);
});

test("what is kept is a copy", () => {
  const reservoir = new QueryReservoir();
  const message = Uint8Array.of(1, 2, 3, 4);
  reservoir.note(collection("songs"), message.subarray(1, 3));
  message.fill(9);
  expect(reservoir.take()).toEqual([
    { collection: "songs", createdAt, spaceId: undefined, vector: Uint8Array.of(2, 3) },
  ]);
});

test("one collection does not crowd out another", () => {
  const reservoir = new QueryReservoir();
  for (let i = 0; i < 1000; i++) reservoir.note(collection("songs"), Uint8Array.of(1));
  reservoir.note(collection("films"), Uint8Array.of(2));
  expect(reservoir.take().filter(({ collection: name }) => name === "films")).toHaveLength(1);
});
