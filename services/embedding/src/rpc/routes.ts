import type { ConnectRouter } from "@connectrpc/connect";
import { EmbeddingService } from "@kindred/contracts/embedding/v1";
import type { ServedModel } from "../domain/served-model.ts";
import { embed } from "./embed.ts";
import { info } from "./info.ts";
import { tokenize } from "./tokenize.ts";

/**
 * Registers the service.
 * @param served the model; throws a KindredError while there is none yet.
 */
export function embeddingRoutes(served: () => ServedModel): (router: ConnectRouter) => void {
  return (router) => {
    router.service(EmbeddingService, {
      embed: (request, context) => embed(served().embedder, request, context),
      info: () => info(served()),
      tokenize: (request, context) => tokenize(served().embedder, request, context),
    });
  };
}
