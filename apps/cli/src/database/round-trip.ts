import { randomUUID } from "node:crypto";
import { fromVectorText, toVectorParameter, type Database } from "@kindred/postgres";
import type { Check } from "./verify.ts";

type PoolClient = Parameters<Parameters<Database["transaction"]>[0]>[0];

const DIMENSIONS = 384;

/** Thrown to roll the transaction back when everything has worked. */
class RollBack extends Error {}

/**
 * Writes two pictures with a vector each into the real tables, searches, reads back and compares, all in a transaction that is
 * rolled back in the end: nothing stays.
 */
export async function testRoundTrip(database: Database): Promise<Check[]> {
  const checks: Check[] = [];
  const prefix = `kindred-db-test/${randomUUID()}/`;
  try {
    await database.transaction(async (client) => {
      await tryOut(client, prefix, checks);
      throw new RollBack();
    });
  } catch (error) {
    if (!(error instanceof RollBack)) throw error;
  }
  const { rows } = await database.query<{ left: string }>(
    "SELECT count(*) AS left FROM vector_store.images WHERE starts_with(image_path, $1)",
    [prefix],
  );
  checks.push(check("roll back", rows[0]?.left === "0", "nothing stayed", "rows stayed behind"));
  return checks;
}

async function tryOut(client: PoolClient, prefix: string, checks: Check[]): Promise<void> {
  const [near, far] = [unitVector(0), unitVector(1)];
  for (const [name, vector] of [["near", near] as const, ["far", far] as const]) {
    await client.query(
      `WITH image AS (
         INSERT INTO vector_store.images (image_path, description) VALUES ($1, $2) RETURNING id)
       INSERT INTO vector_store.embeddings (image_id, embedding, embedding_type)
       SELECT id, $3::vector, 'text' FROM image`,
      [prefix + name, name, toVectorParameter(vector)],
    );
  }
  checks.push({ name: "write", outcome: "ok", detail: "two images with an embedding each" });

  const query = near.with(1, 0.25);
  const { rows } = await client.query<{ name: string; distance: number; embedding: string }>(
    `SELECT i.description AS name, e.embedding <=> $1::vector AS distance, e.embedding::text AS embedding
       FROM vector_store.embeddings e JOIN vector_store.images i ON i.id = e.image_id
      WHERE starts_with(i.image_path, $2) ORDER BY distance`,
    [toVectorParameter(query), prefix],
  );
  const inOrder = rows.map((row) => row.name).join(" ") === "near far";
  const expected = 1 - 1 / Math.hypot(1, 0.25);
  const distance = rows[0]?.distance ?? Number.NaN;
  checks.push(
    check(
      "search",
      inOrder,
      "the nearest comes first",
      `the order is ${rows.map((row) => row.name).join(", ")}`,
    ),
    check(
      "distance",
      Math.abs(distance - expected) < 1e-6,
      `cosine ${distance.toFixed(6)}`,
      `${distance}, not ${expected}`,
    ),
  );
  const back = rows[0] === undefined ? [] : fromVectorText(rows[0].embedding);
  const same = back.length === DIMENSIONS && near.every((value, i) => value === back[i]);
  checks.push(check("read back", same, `${DIMENSIONS} numbers, bit for bit`, "the vector came back changed"));
}

function unitVector(axis: number): Float32Array {
  const vector = new Float32Array(DIMENSIONS);
  vector[axis] = 1;
  return vector;
}

function check(name: string, holds: boolean, good: string, bad: string): Check {
  return { name, outcome: holds ? "ok" : "failed", detail: holds ? good : bad };
}
