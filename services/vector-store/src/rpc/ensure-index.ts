import type { HandlerContext } from "@connectrpc/connect";
import type { EnsureIndexRequest } from "@kindred/contracts/vector-store/v1";
import { startChecks } from "@kindred/rpc";
import type { VectorIndexes } from "../domain/ports.ts";
import type { WantedParameters } from "../domain/vector-index.ts";
import { toIndexMessage } from "./messages.ts";

// pgvector's limits (hnsw.h).
const MIN_M = 2;
const MAX_M = 100;
const MAX_EF_CONSTRUCTION = 1000;

export function ensureIndexRpc({ indexes }: { indexes: Pick<VectorIndexes, "ensure"> }) {
  return async (request: EnsureIndexRequest, context: HandlerContext) => {
    const { index, built, buildTimeMs } = await indexes.ensure(readParameters(request), context.signal);
    return { index: toIndexMessage(index), built, buildTimeMs: BigInt(Math.round(buildTimeMs)) };
  };
}

function readParameters({ m, efConstruction }: EnsureIndexRequest): WantedParameters {
  const checks = startChecks();
  const mIsGood = m === 0 || (m >= MIN_M && m <= MAX_M);
  if (!mIsGood) checks.add("m", `must be ${MIN_M} to ${MAX_M}, or 0 for the default; is ${m}`);
  const least = 2 * (mIsGood ? Math.max(m, MIN_M) : MIN_M);
  if (efConstruction !== 0 && (efConstruction < least || efConstruction > MAX_EF_CONSTRUCTION)) {
    checks.add(
      "ef_construction",
      `must be 2 * m (${least}) to ${MAX_EF_CONSTRUCTION}, or 0 for the default; is ${efConstruction}`,
    );
  }
  checks.throwIfAny();
  return { m: m || undefined, efConstruction: efConstruction || undefined };
}
