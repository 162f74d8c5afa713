import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import {
  PullModelResponseSchema,
  type PullModelRequest,
  type PullModelResponse,
} from "@kindred/contracts/embedding/v1";
import type { ModelProgress } from "../domain/model-files.ts";
import type { CallDeps } from "./deps.ts";
import { modelMessage } from "./model-message.ts";

/** People read along; more often would only cost. */
const REPORT_EVERY_MS = 200;

/** Pulling goes on when the caller goes away: what has been downloaded then is of use to the next one. */
export async function* pullModel(
  { registry }: CallDeps,
  request: PullModelRequest,
  context: HandlerContext,
): AsyncGenerator<PullModelResponse> {
  const { name } = registry.resolve(request.model);
  const state: { latest: ModelProgress | undefined; over: boolean } = { latest: undefined, over: false };
  const pulling = registry
    .pull(name, (progress) => {
      state.latest = progress;
    })
    .finally(() => {
      state.over = true;
    });
  // Its failure surfaces below; a caller who went away does not hear of it.
  pulling.catch(() => undefined);

  let told: ModelProgress | undefined;
  while (!state.over) {
    await Promise.race([sleep(REPORT_EVERY_MS, undefined, { signal: context.signal }), pulling]);
    if (state.latest === undefined || state.latest === told) continue;
    told = state.latest;
    const { phase, done, total, source } = told;
    yield create(PullModelResponseSchema, {
      update: { case: "progress", value: { phase, done: BigInt(done), total: BigInt(total), source } },
    });
  }
  await pulling;
  yield create(PullModelResponseSchema, {
    update: { case: "model", value: modelMessage(registry.overview(name)) },
  });
}
