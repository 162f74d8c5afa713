import type { ConnectRouter } from "@connectrpc/connect";
import { EmbeddingService } from "@kindred/contracts/embedding/v1";
import type { CallDeps } from "./deps.ts";
import { embedStream } from "./embed-stream.ts";
import { embed } from "./embed.ts";
import { info } from "./info.ts";
import { listModels } from "./list-models.ts";
import { pullModel } from "./pull-model.ts";
import { tokenize } from "./tokenize.ts";

/** Registers the service. */
export function embeddingRoutes(deps: CallDeps): (router: ConnectRouter) => void {
  return (router) => {
    router.service(EmbeddingService, {
      embed: (request, context) => embed(deps, request, context),
      embedStream: (requests, context) => embedStream(deps, requests, context),
      info: (request, context) => info(deps, request, context),
      tokenize: (request, context) => tokenize(deps, request, context),
      listModels: () => listModels(deps),
      pullModel: (request, context) => pullModel(deps, request, context),
    });
  };
}
