import { createHash, randomUUID } from "node:crypto";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Generation } from "@kindred/contracts/generation-tracking/v1";
import { composePicture } from "@kindred/gallery";
import type { Kindred } from "./connect.ts";
import { augment, type Retrieved } from "./retrieve.ts";

export interface Wish {
  prompt: string;
  retrieved: Retrieved;
  seed: number;
  /** Generations of one run of the story. */
  batchId: string;
  /** The generation that this one varies. */
  parentId?: bigint;
}

/** How long a generation may be silent before the service takes its maker for dead. */
const LEASE_SECONDS = 30n;

/**
 * Makes a picture and records its whole life: that it began, how far it is, and how it ended. A maker that dies on its way needs nobody
 * to clean up: when the lease is over, the service marks the generation failed.
 * @param folder where the picture is put, below `generated/`
 */
export async function generate(
  { generations }: Pick<Kindred, "generations">,
  folder: string,
  wish: Wish,
): Promise<Generation> {
  const { prompt, retrieved, seed, batchId, parentId } = wish;
  const paths = retrieved.examples.map(({ imagePath }) => imagePath);
  const { generation: started } = await generations.startGeneration({
    // A call that has to be repeated begins no second generation.
    idempotencyKey: randomUUID(),
    lease: { seconds: LEASE_SECONDS },
    generation: {
      prompt,
      augmentedPrompt: augment(
        prompt,
        retrieved.examples.map(({ caption }) => caption),
      ),
      seed: BigInt(seed),
      numInferenceSteps: paths.length,
      sampler: "prints",
      width: 480,
      height: 360,
      modelName: "kindred-gallery",
      modelConfig: { background: paths[0] ?? "" },
      retrievedExamples: retrieved.examples,
      retrieval: retrieved.retrieval,
      batchId,
      labels: ["example"],
      ...(parentId !== undefined && { parentId }),
    },
  });
  const id = (started as Generation).id;
  try {
    const picture = await composePicture({
      paths,
      seed,
      onStep: async (done, total) => {
        await generations.reportProgress({ id, progress: { done, total, message: "composing" } });
      },
    });
    const path = `generated/${id}.png`;
    await writeWhole(join(folder, path), picture);
    const { generation: completed } = await generations.completeGeneration({
      id,
      outputs: [
        { path, sizeBytes: BigInt(picture.length), sha256: createHash("sha256").update(picture).digest() },
      ],
      memoryUsageMb: process.memoryUsage.rss() / 2 ** 20,
    });
    return completed as Generation;
  } catch (error) {
    await generations.failGeneration({ id, errorMessage: String(error) });
    throw error;
  }
}

/** Under its name there is never half a picture. */
async function writeWhole(file: string, bytes: Uint8Array): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const temporary = `${file}.${randomUUID()}.tmp`;
  await writeFile(temporary, bytes, { flush: true });
  await rename(temporary, file);
}
