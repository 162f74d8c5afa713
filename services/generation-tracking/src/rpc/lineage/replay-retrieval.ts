import type { HandlerContext } from "@connectrpc/connect";
import { ExampleChangeKind, type ReplayRetrievalRequest } from "@kindred/contracts/generation-tracking/v1";
import { startChecks } from "@kindred/rpc";
import type { GenerationStore } from "../../domain/generation-store.ts";
import type { ExampleChange } from "../../domain/lineage/compare-examples.ts";
import type { ExampleSource } from "../../domain/lineage/ports.ts";
import { replayRetrieval } from "../../domain/lineage/replay-retrieval.ts";
import { toExampleMessage, toRetrievalMessage } from "../messages.ts";
import { checkId } from "./messages.ts";

const MAX_K = 1000;

const PROTO_KIND: Record<ExampleChange["kind"], ExampleChangeKind> = {
  same: ExampleChangeKind.SAME,
  moved: ExampleChangeKind.MOVED,
  added: ExampleChangeKind.ADDED,
  dropped: ExampleChangeKind.DROPPED,
  deleted: ExampleChangeKind.DELETED,
};

export function replayRetrievalRpc(deps: { store: Pick<GenerationStore, "find">; examples: ExampleSource }) {
  return async (request: ReplayRetrievalRequest, context: HandlerContext) => {
    const checks = startChecks();
    checkId("id", request.id, checks);
    if (request.k < 0 || request.k > MAX_K) {
      checks.add("k", `must be 1 to ${MAX_K}, or 0 for as many as then; is ${request.k}`);
    }
    checks.throwIfAny();
    const replay = await replayRetrieval(
      deps,
      request.id,
      { k: request.k || undefined, exact: request.exact },
      { signal: context.signal, timeoutMs: context.timeoutMs() },
    );
    const { retrievalThen, overlap } = replay;
    return {
      query: replay.query,
      examplesThen: replay.examplesThen.map(toExampleMessage),
      examplesNow: replay.examplesNow.map(toExampleMessage),
      ...(retrievalThen && { retrievalThen: toRetrievalMessage(retrievalThen) }),
      retrievalNow: toRetrievalMessage(replay.retrievalNow),
      changes: replay.changes.map(toChangeMessage),
      ...(overlap !== undefined && { overlap }),
      spaceChanged: replay.spaceChanged,
    };
  };
}

function toChangeMessage({ similarityThen, similarityNow, ...change }: ExampleChange) {
  return {
    imageId: change.imageId,
    imagePath: change.imagePath,
    kind: PROTO_KIND[change.kind],
    rankThen: change.rankThen ?? 0,
    rankNow: change.rankNow ?? 0,
    ...(similarityThen !== undefined && { similarityThen }),
    ...(similarityNow !== undefined && { similarityNow }),
    captionChanged: change.captionChanged,
  };
}
