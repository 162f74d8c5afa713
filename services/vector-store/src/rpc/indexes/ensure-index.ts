import type { HandlerContext } from "@connectrpc/connect";
import type { EnsureIndexRequest } from "@kindred/contracts/vector-store/v1";
import { startChecks } from "@kindred/rpc";
import { countDown } from "../../domain/call-limits.ts";
import { COLLECTION } from "../../domain/collection.ts";
import { describeIndexes, type DescribeIndexesDeps } from "../../domain/indexes/describe-indexes.ts";
import { ensureIndex, type EnsureIndexDeps, type WantedGraph } from "../../domain/indexes/ensure-index.ts";
import { limitsOf } from "../limits.ts";
import { toIndexMessage } from "../messages.ts";

// pgvector's limits (hnsw.h).
const MIN_M = 2;
const MAX_M = 100;
const MAX_EF_CONSTRUCTION = 1000;

export function ensureIndexRpc(deps: EnsureIndexDeps & DescribeIndexesDeps) {
  return async (request: EnsureIndexRequest, context: HandlerContext) => {
    const wanted = readParameters(request);
    const left = countDown(limitsOf(context));
    const { index, built, buildTimeMs } = await ensureIndex(deps, wanted, left);
    const described = await describeIndexes(deps, await deps.collections.get(COLLECTION), left());
    const shown = described.find(({ name }) => name === index.name) ?? index;
    return { index: toIndexMessage(shown), built, buildTimeMs: BigInt(Math.ceil(buildTimeMs)) };
  };
}

function readParameters({ m, efConstruction }: EnsureIndexRequest): WantedGraph {
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
