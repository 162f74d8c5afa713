import { describe, expect, test } from "@jest/globals";
import { OutputState, type Generation } from "@kindred/contracts/generation-tracking/v1";
import type { Fixture } from "./fixture.ts";
import { useFixture } from "./use-fixture.ts";

const fixture = useFixture();

type Fields = Parameters<Fixture["client"]["recordGeneration"]>[0]["generation"];

async function record(prompt: string, fields: NonNullable<Fields> = {}): Promise<bigint> {
  const { generation } = await fixture.client.recordGeneration({ generation: { ...fields, prompt } });
  return generation!.id;
}

const prompts = (generations: readonly Generation[]): string[] => generations.map(({ prompt }) => prompt);

describe("GetLineage", () => {
  test("goes up to the first parent and down the whole tree, as far as asked for", async () => {
    const first = await record("first");
    const second = await record("second", { parentId: first });
    const third = await record("third", { parentId: second });
    const left = await record("left", { parentId: third });
    await record("right", { parentId: third });
    await record("leaf", { parentId: left });
    await record("nobody's");

    const whole = await fixture.lineage.getLineage({ id: third });
    expect(whole.generation?.prompt).toBe("third");
    expect(prompts(whole.ancestors)).toEqual(["second", "first"]);
    expect(prompts(whole.descendants)).toEqual(["left", "right", "leaf"]);
    const near = await fixture.lineage.getLineage({ id: third, depth: 1 });
    expect(prompts(near.ancestors)).toEqual(["second"]);
    expect(prompts(near.descendants)).toEqual(["left", "right"]);
    expect(prompts((await fixture.lineage.getLineage({ id: first, depth: 10 })).descendants)).toEqual([
      "second",
      "third",
      "left",
      "right",
      "leaf",
    ]);
  });

  test("a deleted parent ends it", async () => {
    const first = await record("first");
    const second = await record("second", { parentId: first });
    const third = await record("third", { parentId: second });
    await fixture.db.query("DELETE FROM generations WHERE id = $1", [String(second)]);
    expect(await fixture.lineage.getLineage({ id: third })).toMatchObject({
      generation: { parentId: second },
      ancestors: [],
    });
    expect((await fixture.lineage.getLineage({ id: first })).descendants).toEqual([]);
  });

  test("has the others of the batch, and what was retrieved with every one", async () => {
    const examples = [{ imageId: 5n, imagePath: "a.png", caption: "a cat", similarity: 0.5 }];
    const id = await record("b", {
      batchId: "batch",
      retrievedExamples: examples,
      outputs: [{ path: "b.png" }],
    });
    await record("a", { batchId: "batch", retrievedExamples: examples });
    await record("c", { batchId: "another" });
    await record("d", { batchId: "batch" });
    const { generation, batch } = await fixture.lineage.getLineage({ id });
    expect(prompts(batch)).toEqual(["a", "d"]);
    expect(generation).toMatchObject({
      retrievedExamples: [{ imageId: 5n, rank: 1 }],
      outputs: [{ path: "b.png" }],
    });
    expect(batch[0]?.retrievedExamples).toMatchObject([{ caption: "a cat" }]);
    const lonely = await record("e");
    await record("f");
    expect((await fixture.lineage.getLineage({ id: lonely })).batch).toEqual([]);
  });

  test("ends where rows of users' own lead back to themselves", async () => {
    const [a, b] = [await record("a"), await record("b")];
    await fixture.db.query(
      "UPDATE generations SET parent_id = CASE id WHEN $1 THEN $2 ELSE $1 END::bigint WHERE id IN ($1, $2)",
      [String(a), String(b)],
    );
    const lineage = await fixture.lineage.getLineage({ id: a, depth: 10 });
    expect(prompts(lineage.ancestors)).toEqual(["b"]);
    expect(prompts(lineage.descendants)).toEqual(["b"]);
  });

  test("holds 1,000 descendants at most", async () => {
    const id = await record("root");
    await fixture.db.query(
      "INSERT INTO generations (prompt, parent_id) SELECT i::text, $1::bigint FROM generate_series(1, 1005) i",
      [String(id)],
    );
    const { descendants } = await fixture.lineage.getLineage({ id });
    expect(prompts(descendants)).toEqual(Array.from({ length: 1000 }, (_, i) => String(i + 1)));
  });

  test("is NOT_FOUND for what is not there", async () => {
    await expect(fixture.lineage.getLineage({ id: 4711n })).rejects.toMatchObject({ kind: "not-found" });
  });
});

describe("ListImageUses", () => {
  const example = (imageId: bigint, imagePath = "", caption = "") => ({
    imageId,
    imagePath,
    caption,
    similarity: 0.25,
  });

  test("finds the generations by the image's id and by its path, newest first, each with the image", async () => {
    await record("one", { retrievedExamples: [example(7n, "k.png", "then"), example(8n)] });
    await record("two", {
      retrievedExamples: [example(8n), example(9n, "k.png"), example(7n, "moved.png", "later")],
    });
    await record("three", { retrievedExamples: [example(8n)] });

    const byId = await fixture.lineage.listImageUses({ image: { case: "imageId", value: 7n } });
    expect(byId).toMatchObject({ total: 2n, nextPageToken: "" });
    expect(byId.uses).toMatchObject([
      { generation: { prompt: "two" }, example: { imagePath: "moved.png", caption: "later", rank: 3 } },
      {
        generation: { prompt: "one" },
        example: { imagePath: "k.png", caption: "then", rank: 1, similarity: 0.25 },
      },
    ]);
    const byPath = await fixture.lineage.listImageUses({ image: { case: "imagePath", value: "k.png" } });
    expect(byPath.uses.map(({ generation, example: found }) => [generation?.prompt, found?.imageId])).toEqual(
      [
        ["two", 9n],
        ["one", 7n],
      ],
    );
    const none = await fixture.lineage.listImageUses({ image: { case: "imagePath", value: "k" } });
    expect(none).toMatchObject({ uses: [], total: 0n });
  });

  test("a generation that has an image several times uses it once, at its best rank", async () => {
    await record("twice", {
      retrievedExamples: [example(1n), example(7n, "", "second"), example(7n, "", "third")],
    });
    const { uses, total } = await fixture.lineage.listImageUses({ image: { case: "imageId", value: 7n } });
    expect(total).toBe(1n);
    expect(uses).toMatchObject([{ example: { rank: 2, caption: "second" } }]);
  });

  test("pages go through all of them once, with ties in time, while others are recorded", async () => {
    await fixture.db.query(
      `INSERT INTO generations (prompt, created_at, retrieved_examples)
       SELECT i::text, TIMESTAMPTZ '2026-01-01Z' + (i / 3) * INTERVAL '1 microsecond',
              jsonb_build_array(jsonb_build_object('image_id', '7'), jsonb_build_object('image_id', 7))
         FROM generate_series(1, 40) i`,
    );
    const image = { case: "imageId" as const, value: 7n };
    const seen: string[] = [];
    let pageToken = "";
    do {
      const page = await fixture.lineage.listImageUses({ image, pageSize: 7, pageToken });
      seen.push(...page.uses.map(({ generation }) => generation?.prompt ?? ""));
      pageToken = page.nextPageToken;
      await record("new", { retrievedExamples: [example(7n)] });
    } while (pageToken !== "");
    expect(seen).toEqual(Array.from({ length: 40 }, (_, i) => String(40 - i)));
  });

  test("a token belongs to its image", async () => {
    for (const prompt of ["a", "b"])
      await record(prompt, { retrievedExamples: [example(7n, "7"), example(8n)] });
    const { nextPageToken } = await fixture.lineage.listImageUses({
      image: { case: "imageId", value: 7n },
      pageSize: 1,
    });
    for (const image of [
      { case: "imageId" as const, value: 8n },
      { case: "imagePath" as const, value: "7" },
    ]) {
      await expect(
        fixture.lineage.listImageUses({ image, pageSize: 1, pageToken: nextPageToken }),
      ).rejects.toMatchObject({ kind: "invalid-argument", violations: [{ field: "page_token" }] });
    }
  });
});

describe("DiffGenerations", () => {
  test("names what differs, with both values", async () => {
    const leftId = await record("a", { seed: 2n ** 60n, modelConfig: { model: "m", cfg: { scale: 7 } } });
    const rightId = await record("a", {
      seed: 1n,
      modelConfig: { model: "m", cfg: { scale: 7.5 }, x: null },
    });
    const { differences, equal } = await fixture.lineage.diffGenerations({ leftId, rightId });
    expect(differences.map(({ path, left, right }) => [path, left?.kind, right?.kind])).toEqual([
      ["seed", { case: "stringValue", value: "1152921504606846976" }, { case: "numberValue", value: 1 }],
      ["model_config.cfg.scale", { case: "numberValue", value: 7 }, { case: "numberValue", value: 7.5 }],
      ["model_config.x", undefined, { case: "nullValue", value: 0 }],
    ]);
    // The prompt, the model's name (which is that of its settings), and that member.
    expect(equal).toBe(3);
    expect(await fixture.lineage.diffGenerations({ leftId, rightId: leftId })).toMatchObject({
      differences: [],
    });
  });

  test("is NOT_FOUND when one of them is not there, and says which", async () => {
    const leftId = await record("a");
    await expect(fixture.lineage.diffGenerations({ leftId, rightId: 4711n })).rejects.toMatchObject({
      kind: "not-found",
      message: "there is no generation with id 4711",
    });
  });
});

describe("outputs", () => {
  const sha256 = new Uint8Array(32).fill(7);

  test("are listed by generation and place, a page at a time", async () => {
    const a = await record("a", {
      outputs: [{ path: "1" }, { path: "2", sizeBytes: 5n, sha256 }, { path: "3" }],
    });
    await record("none");
    const b = await record("b", { outputPath: "4" });
    const seen: [bigint, number, string | undefined][] = [];
    let pageToken = "";
    do {
      const page = await fixture.lineage.listOutputs({ pageSize: 2, pageToken });
      expect(page.outputs.length).toBeLessThanOrEqual(2);
      seen.push(
        ...page.outputs.map((each): (typeof seen)[0] => [
          each.generationId,
          each.position,
          each.output?.path,
        ]),
      );
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    expect(seen).toEqual([
      [a, 1, "1"],
      [a, 2, "2"],
      [a, 3, "3"],
      [b, 1, "4"],
    ]);
    const { outputs } = await fixture.lineage.listOutputs({ generationId: a });
    expect(outputs).toHaveLength(3);
    expect(outputs[1]?.output).toMatchObject({ sizeBytes: 5n, sha256, state: OutputState.UNSPECIFIED });
    expect(outputs[1]?.output?.verifiedAt).toBeUndefined();
  });

  test("take what was found, and fill in what was not known of those that are kept", async () => {
    const other = new Uint8Array(32).fill(9);
    const generationId = await record("a", {
      outputs: [{ path: "1" }, { path: "2", sizeBytes: 5n, sha256 }, { path: "3" }, { path: "4" }],
    });
    const found = { generationId, sizeBytes: 99n, sha256: other };
    const { updated } = await fixture.lineage.reportOutputs({
      findings: [
        { ...found, position: 1, state: OutputState.KEPT },
        { ...found, position: 2, state: OutputState.KEPT },
        { ...found, position: 3, state: OutputState.CHANGED },
        { ...found, position: 9, state: OutputState.MISSING },
        { ...found, generationId: generationId + 1n, position: 1, state: OutputState.MISSING },
      ],
    });
    expect(updated).toBe(3n);
    const { generation } = await fixture.client.getGeneration({ id: generationId });
    expect(generation?.outputs).toMatchObject([
      { state: OutputState.KEPT, sizeBytes: 99n, sha256: other },
      { state: OutputState.KEPT, sizeBytes: 5n, sha256 },
      { state: OutputState.CHANGED, sha256: new Uint8Array() },
      { state: OutputState.UNSPECIFIED },
    ]);
    expect(generation?.outputs[2]?.sizeBytes).toBeUndefined();
    expect(generation?.outputs.map(({ verifiedAt }) => verifiedAt !== undefined)).toEqual([
      true,
      true,
      true,
      false,
    ]);
    const kept = await fixture.lineage.listOutputs({ state: OutputState.KEPT });
    expect(kept.outputs.map(({ position }) => position)).toEqual([1, 2]);
    expect((await fixture.lineage.listOutputs({ state: OutputState.MISSING })).outputs).toEqual([]);
  });

  test("keep what was found last, however late a report comes", async () => {
    const generationId = await record("a", { outputs: [{ path: "1" }] });
    const report = async (state: OutputState, seconds: bigint) =>
      (
        await fixture.lineage.reportOutputs({
          findings: [{ generationId, position: 1, state, verifiedAt: { seconds, nanos: 123_456_000 } }],
        })
      ).updated;
    expect(await report(OutputState.MISSING, 1_700_000_100n)).toBe(1n);
    expect(await report(OutputState.KEPT, 1_700_000_000n)).toBe(0n);
    const { outputs } = await fixture.lineage.listOutputs({});
    expect(outputs[0]?.output).toMatchObject({
      state: OutputState.MISSING,
      verifiedAt: { seconds: 1_700_000_100n, nanos: 123_456_000 },
    });
    expect(await report(OutputState.KEPT, 1_700_000_200n)).toBe(1n);
  });

  test("reports that come at once in other orders do not lock each other out", async () => {
    const ids = await Promise.all(
      Array.from({ length: 20 }, (_, i) => record(String(i), { outputs: [{ path: "1" }, { path: "2" }] })),
    );
    const findings = ids.flatMap((generationId) =>
      [1, 2].map((position) => ({ generationId, position, state: OutputState.KEPT })),
    );
    const replies = await Promise.all(
      Array.from({ length: 16 }, (_, i) =>
        fixture.lineage.reportOutputs({ findings: i % 2 === 0 ? findings : findings.toReversed() }),
      ),
    );
    for (const { updated } of replies) expect(updated).toBeLessThanOrEqual(40n);
    expect((await fixture.lineage.listOutputs({ state: OutputState.KEPT })).outputs).toHaveLength(40);
  });
});
