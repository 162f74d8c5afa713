import { randomUUID } from "node:crypto";
import {
  ExampleChangeKindSchema,
  type ExampleChangeKind,
  type Generation,
} from "@kindred/contracts/generation-tracking/v1";
import type { Kindred } from "./connect.ts";
import { generate } from "./generate.ts";
import { retrieve } from "./retrieve.ts";

export interface StoryOptions {
  prompt: string;
  /** How many pictures are retrieved, 1 to 8. */
  k: number;
  /** Where generated pictures are put. */
  folder: string;
  /** Takes a line of the story. */
  tell(line: string): void;
}

/** What the story made; the picture that it added to the catalogue is gone again. */
export interface StoryEnd {
  original: bigint;
  variation: bigint;
}

/**
 * Retrieves, augments, generates, varies, and then looks back: what was made from what, and what the same search would find by now.
 * @throws Error when the catalogue has nothing to retrieve; ConnectError of any call
 */
export async function tellStory(kindred: Kindred, options: StoryOptions): Promise<StoryEnd> {
  const { prompt, k, folder, tell } = options;

  tell(`1. What is near "${prompt}"?`);
  const retrieved = await retrieve(kindred, prompt, k);
  if (retrieved.examples.length === 0) {
    throw new Error("the catalogue is empty: `npm start` fills it with the sample gallery");
  }
  for (const { similarity = 0, caption } of retrieved.examples)
    tell(`   ${similarity.toFixed(3)}  ${caption}`);

  tell("2. A picture of them, and a variation with another seed.");
  const batchId = randomUUID();
  const original = await generate(kindred, folder, { prompt, retrieved, seed: 7, batchId });
  tell(`   ${describe(original)}`);
  const variation = await generate(kindred, folder, {
    prompt,
    retrieved,
    seed: 8,
    batchId,
    parentId: original.id,
  });
  tell(`   ${describe(variation)}`);

  tell("3. Where does the variation come from, and what is different about it?");
  const { ancestors } = await kindred.lineage.getLineage({ id: variation.id });
  tell(`   it varies ${ancestors.map(({ id }) => `generation ${id}`).join(", a variation of ")}`);
  const { differences } = await kindred.lineage.diffGenerations({
    leftId: original.id,
    rightId: variation.id,
  });
  tell(`   it differs in ${differences.map(({ path }) => path).join(", ")}`);

  const [nearest] = retrieved.examples;
  tell(`4. What was made from ${nearest?.imagePath}?`);
  const { uses, total } = await kindred.lineage.listImageUses({
    image: { case: "imageId", value: nearest?.imageId ?? 0n },
    pageSize: 3,
  });
  tell(
    `   ${total} in all; the newest: ${uses.map(({ generation }) => `generation ${generation?.id}`).join(", ")}`,
  );

  tell("5. The picture becomes part of the catalogue. What would the same search retrieve now?");
  await replayWithResult(kindred, original, tell);
  return { original: original.id, variation: variation.id };
}

/** Adds a generation's picture, replays its retrieval, and takes the picture away again. */
async function replayWithResult(
  { images, lineage }: Kindred,
  { id, prompt, outputPath }: Generation,
  tell: (line: string) => void,
): Promise<void> {
  const { image } = await images.addImageWithEmbeddings({
    image: { imagePath: outputPath, description: prompt, format: "png", sourceDataset: "kindred-example" },
  });
  try {
    const { changes, overlap = 0 } = await lineage.replayRetrieval({ id });
    for (const { kind, imagePath, rankThen, rankNow } of changes) {
      tell(`   ${changeText(kind).padEnd(7)}  ${rankThen || "-"} -> ${rankNow || "-"}  ${imagePath}`);
    }
    tell(`   ${Math.round(100 * overlap)} % of what was retrieved then is retrieved now`);
  } finally {
    if (image) await images.deleteImage({ id: image.id });
  }
}

/** E.g. "moved"; a number where this program is older than the service. */
function changeText(kind: ExampleChangeKind): string {
  return ExampleChangeKindSchema.value[kind]?.localName.toLowerCase() ?? String(kind);
}

function describe({ id, generationTimeMs, outputs }: Generation): string {
  const [file] = outputs;
  const digest = Buffer.from(file?.sha256 ?? [])
    .toString("hex")
    .slice(0, 12);
  return `generation ${id}: ${file?.path}, ${file?.sizeBytes} bytes, SHA-256 ${digest}…, in ${generationTimeMs} ms`;
}
