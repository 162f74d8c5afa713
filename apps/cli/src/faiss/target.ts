import { isKindredError } from "@kindred/errors";
import { unpackVectors } from "@kindred/rpc";
import { translated, type Clients } from "../clients.ts";
import { EXIT } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import type { MigratedRow } from "./rows.ts";

/** Where vectors would go. */
export interface Target {
  /** The space that they are taken to live in. */
  spaceId: string;
  /** Whether the user named it. */
  isNamed: boolean;
  /** Name of the served model, where the space is that model's. */
  model: string | undefined;
}

/** Cosine between a vector and the embedding of its description below which they are of different models. Other texts reach 0.3. */
const SAME_MODEL = 0.5;
const DESCRIPTIONS = 8;

/**
 * The space for vectors of so many dimensions: that which is named, else the served model's.
 * @throws Failure where the image catalogue has other dimensions, or another space
 */
export async function targetOf(
  clients: Pick<Clients, "collections" | "embedding">,
  dimensions: number,
  named: string | undefined,
): Promise<Target> {
  const { collection } = await translated(() => clients.collections.getCollection({ name: "images" }));
  if (collection && collection.dimensions !== dimensions) {
    throw new Failure(
      `The vectors have ${dimensions} dimensions, and those of the images ${collection.dimensions}.`,
      {
        exitCode: EXIT.data,
        remedy:
          "Nothing was written. Vectors of other models go into a collection of their own: kindred collections create",
      },
    );
  }
  const served = await servedSpace(clients, named !== undefined);
  const spaceId = named ?? served?.id ?? "";
  if (named === undefined && served && served.dimensions !== dimensions) {
    throw new Failure(
      `The vectors have ${dimensions} dimensions, and those of the served model ${served.model} ${served.dimensions}.`,
      { exitCode: EXIT.data, remedy: "Name the space that they live in: --space <id>" },
    );
  }
  if (collection && collection.spaceId !== "" && collection.spaceId !== spaceId) {
    throw new Failure(`The images live in the space ${collection.spaceId}, and the vectors in ${spaceId}.`, {
      exitCode: EXIT.data,
      remedy:
        named === undefined
          ? `Nothing was written. If the vectors were made by the images' model: --space ${collection.spaceId}`
          : "Nothing was written. Vectors of different spaces are never mixed.",
    });
  }
  return { spaceId, isNamed: named !== undefined, model: served?.id === spaceId ? served.model : undefined };
}

async function servedSpace(
  { embedding }: Pick<Clients, "embedding">,
  isOptional: boolean,
): Promise<{ id: string; dimensions: number; model: string } | undefined> {
  try {
    const { space, model } = await translated(() => embedding.info({}));
    return space ? { id: space.id, dimensions: space.dimensions, model } : undefined;
  } catch (error) {
    if (isOptional && isKindredError(error)) return undefined;
    throw error;
  }
}

/** How like the vectors are to what the served model makes of their descriptions. */
export interface Likeness {
  descriptions: number;
  /** The middle one of the cosines. */
  cosine: number;
}

/**
 * That vectors have as many dimensions as a model's does not make them that model's: a few descriptions are embedded and compared.
 * undefined where nothing can be compared.
 */
export async function likenessOf(
  { embedding }: Pick<Clients, "embedding">,
  target: Target,
  rows: readonly MigratedRow[],
): Promise<Likeness | undefined> {
  const described = rows.filter(({ record }) => record.description !== "").slice(0, DESCRIPTIONS);
  const { model } = target;
  if (model === undefined || described.length === 0) return undefined;
  const texts = described.map(({ record }) => record.description);
  const reply = await translated(() => embedding.embed({ texts, model, expectedSpaceId: target.spaceId }));
  const dimensions = reply.space?.dimensions ?? 0;
  const vectors = unpackVectors(reply.vectors, dimensions);
  const cosines = described
    .map(({ vector }, i) => cosineOf(vector, vectors.subarray(i * dimensions, (i + 1) * dimensions)))
    .toSorted((one, other) => one - other);
  return { descriptions: described.length, cosine: cosines[Math.floor(cosines.length / 2)] ?? 0 };
}

/** @throws Failure where the vectors are another model's, and the user has not named their space */
export function requireLikeness(likeness: Likeness | undefined, target: Target): void {
  if (!likeness || target.isNamed || likeness.cosine >= SAME_MODEL) return;
  throw new Failure(
    `The vectors do not seem to be those of ${target.model}: embedding their own descriptions gives others (cosine ${likeness.cosine.toFixed(2)}).`,
    {
      exitCode: EXIT.data,
      remedy: `Nothing was written. Name the space that they live in with --space <id>; if it is that model's all the same: --space ${target.spaceId}`,
    },
  );
}

function cosineOf(one: Float32Array, other: Float32Array): number {
  let [product, squares, otherSquares] = [0, 0, 0];
  for (const [i, value] of one.entries()) {
    const against = other[i] ?? 0;
    product += value * against;
    squares += value * value;
    otherSquares += against * against;
  }
  return squares === 0 || otherSquares === 0 ? 0 : product / Math.sqrt(squares * otherSquares);
}
