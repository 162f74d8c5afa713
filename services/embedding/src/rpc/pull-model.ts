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
  let latest: ModelProgress | undefined;
  let over = false;
  const pulling = registry
    .pull(name, (progress) => {
      latest = progress;
    })
    .finally(() => {
      over = true;
    });
  // Its failure surfaces below; a caller who went away does not hear of it.
  pulling.catch(() => undefined);

  let told: ModelProgress | undefined;
  while (!over) {
    await Promise.race([sleep(REPORT_EVERY_MS, undefined, { signal: context.signal }), pulling]);
    if (latest === undefined || latest === told) continue;
    told = latest;
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
