import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import {
  GenerationService,
  GenerationStatus,
  LineageService,
  type Generation,
} from "@kindred/contracts/generation-tracking/v1";
import { ImageService } from "@kindred/contracts/vector-store/v1";
import { pictures } from "@kindred/gallery";
import { openChannel, type Channel } from "@kindred/rpc";
import { startStack, type Stack } from "@kindred/testing";

// examples/retrieval-augmented-generation, run as its README says, against real services.

const PROMPT = "a cat that sleeps on a sofa";
const K = 4;
/** As somebody has who uses Kindred: the drawing code does not know it. */
const PHOTO = { path: "photos/tabby.jpg", caption: "A tabby cat that sleeps on an old sofa." };
const root = fileURLToPath(new URL("../..", import.meta.url));

/** The README's command, with a folder and services of this test. */
async function runExample(k: number): Promise<{ stdout: string }> {
  const readme = readFileSync(join(root, "examples/README.md"), "utf8");
  const [, command = ""] = /^```sh\n(.+)\n```$/m.exec(readme) ?? [];
  expect(command).toContain(`--out pictures --prompt "${PROMPT}"`);
  const line = `${command.replace("--out pictures", `--out ${folder}`)} --url ${stack.originUrl} --k ${k}`;
  return await promisify(execFile)("bash", ["-c", line], { cwd: root, timeout: 300_000 });
}

let stack: Stack;
let store: Channel;
let tracking: Channel;
let folder: string;
let said: string[];
let generations: Generation[];

beforeAll(async () => {
  stack = await startStack({ origin: true, services: ["embedding", "vector-store", "generation-tracking"] });
  store = openChannel({ address: stack.addresses["vector-store"] as string });
  tracking = openChannel({ address: stack.addresses["generation-tracking"] as string });
  folder = mkdtempSync(join(tmpdir(), "kindred-example-"));
  const images = createClient(ImageService, store.transport);
  await images.batchAddImages(
    (async function* () {
      const catalogue = [...pictures.map(({ path, caption }) => ({ path, caption })), PHOTO];
      yield {
        images: catalogue.map(({ path, caption }) => ({ image: { imagePath: path, description: caption } })),
      };
    })(),
    { timeoutMs: 180_000 },
  );
  const { stdout } = await runExample(K);
  said = stdout.trimEnd().split("\n");
  ({ generations } = await createClient(GenerationService, tracking.transport).listGenerations({}));
}, 900_000);
afterAll(async () => {
  await store?.[Symbol.asyncDispose]();
  await tracking?.[Symbol.asyncDispose]();
  await stack?.[Symbol.asyncDispose]();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

describe("retrieval-augmented generation", () => {
  test("two generations were completed, the second a variation of the first", () => {
    expect(generations).toHaveLength(2);
    const [variation, original] = generations as [Generation, Generation];
    for (const generation of generations) {
      expect(generation).toMatchObject({
        prompt: PROMPT,
        status: GenerationStatus.COMPLETED,
        modelName: "kindred-gallery",
        numInferenceSteps: K,
        labels: ["example"],
        batchId: original.batchId,
        progress: { done: K, total: K, message: "composing" },
      });
      expect(generation.generationTimeMs).toBeGreaterThan(0);
    }
    expect(original.parentId).toBeUndefined();
    expect(variation.parentId).toBe(original.id);
  });

  test("the prompt was augmented with the captions of what was retrieved, which is about cats", () => {
    for (const { augmentedPrompt, retrievedExamples } of generations) {
      const captions = retrievedExamples.map(({ caption }) => caption);
      expect(captions).toHaveLength(K);
      expect(captions[0]).toMatch(/cat|kitten/i);
      expect(captions).toContain(PHOTO.caption);
      expect(augmentedPrompt).toBe([PROMPT, ...captions.map((caption) => `As in: ${caption}`)].join("\n"));
      expect(retrievedExamples.map(({ rank }) => rank)).toEqual([1, 2, 3, 4]);
    }
  });

  test("how it was retrieved is recorded", () => {
    for (const { retrieval } of generations) {
      expect(retrieval).toMatchObject({ query: PROMPT, k: K, method: "exact", indexName: "" });
      expect(retrieval?.spaceId).toContain("MiniLM");
    }
  });

  test("the pictures are where their generations say, byte for byte, and are not the same one", () => {
    const digests = generations.map(({ outputPath, outputs }) => {
      expect(outputs.map(({ path }) => path)).toEqual([outputPath]);
      const file = readFileSync(join(folder, outputPath));
      expect(outputs[0]?.sizeBytes).toBe(BigInt(file.length));
      const digest = createHash("sha256").update(file).digest("hex");
      expect(Buffer.from(outputs[0]?.sha256 ?? []).toString("hex")).toBe(digest);
      return digest;
    });
    expect(new Set(digests).size).toBe(2);
  });

  test("its lineage leads from the variation to the original, and back", async () => {
    const lineage = createClient(LineageService, tracking.transport);
    const [variation, original] = generations as [Generation, Generation];
    const up = await lineage.getLineage({ id: variation.id });
    expect(up.ancestors.map(({ id }) => id)).toEqual([original.id]);
    const down = await lineage.getLineage({ id: original.id });
    expect(down.descendants.map(({ id }) => id)).toEqual([variation.id]);
    expect(down.batch.map(({ id }) => id)).toEqual([variation.id]);
  });

  test("it told what came of it: the differences, the uses, and that the new picture is the nearest by now", () => {
    const [variation, original] = generations as [Generation, Generation];
    const line = (pattern: RegExp) => said.find((each) => pattern.test(each));
    expect(line(/^ {3}it varies /)).toBe(`   it varies generation ${original.id}`);
    expect(line(/^ {3}it differs in /)).toMatch(/\bseed\b/);
    expect(line(/in all; the newest/)).toBe(
      `   2 in all; the newest: generation ${variation.id}, generation ${original.id}`,
    );
    const first = generations[1]?.retrievedExamples[0]?.imagePath;
    expect(said).toContain(`   added    - -> 1  ${original.outputPath}`);
    expect(said).toContain(`   moved    1 -> 2  ${first}`);
    expect(said.filter((each) => /^ {3}dropped +4 -> - /.test(each))).toHaveLength(1);
    expect(said.at(-1)).toBe("   75 % of what was retrieved then is retrieved now");
  });

  test("the catalogue is as it was: a replay retrieves what was retrieved then", async () => {
    const images = createClient(ImageService, store.transport);
    const listed = await images.listImages({ sourceDataset: "kindred-example" });
    expect(listed.images).toEqual([]);
    const replay = await createClient(LineageService, tracking.transport).replayRetrieval({
      id: generations[0]?.id as bigint,
    });
    expect(replay.overlap).toBe(1);
    expect(replay.examplesNow.map(({ imagePath }) => imagePath)).toEqual(
      replay.examplesThen.map(({ imagePath }) => imagePath),
    );
    expect(replay.spaceChanged).toBe(false);
  });

  test("a number of pictures that cannot be is refused before anything is recorded", async () => {
    await expect(runExample(0)).rejects.toThrow(/k must be 1 to/);
    const { count } = await createClient(GenerationService, tracking.transport).countGenerations({});
    expect(count).toBe(2n);
  });
});
