import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { loadConfig } from "@kindred/config";
import {
  EmbeddingService,
  type EmbedRequest,
  type EmbedResponseSchema,
} from "@kindred/contracts/embedding/v1";
import { packVectors, serve, serverSettings } from "@kindred/rpc";
import { silentLogger } from "@kindred/testing";

export const SPACE = {
  id: "local:fake@1:3:mean:none:8",
  provider: "local",
  model: "fake",
  revision: "1",
  dimensions: 3,
  pooling: "mean",
  normalization: "none",
  maxTokens: 8,
};

/** A vector that tells texts apart, exact in float32: length, first and last code unit. */
export function vectorOf(text: string): [number, number, number] {
  return [text.length, text.charCodeAt(0) || 0, text.charCodeAt(text.length - 1) || 0];
}

export function answer({ texts }: Pick<EmbedRequest, "texts">): MessageInitShape<typeof EmbedResponseSchema> {
  return {
    vectors: packVectors(new Float32Array(texts.flatMap(vectorOf))),
    space: SPACE,
    tokenCounts: texts.map((text) => Math.min(text.length + 2, SPACE.maxTokens)),
    truncated: texts.map((text) => text.length + 2 > SPACE.maxTokens),
    totalTokens: BigInt(texts.reduce((sum, text) => sum + Math.min(text.length + 2, SPACE.maxTokens), 0)),
  };
}

export interface FakeEmbedding extends AsyncDisposable {
  url: string;
  /** Every request to Embed, in the order of arrival. */
  requests: EmbedRequest[];
  /** Most Embed calls that were under way at the same time. */
  readonly mostAtOnce: number;
}

/**
 * An embedding service on a real port, for answers that the real one does not give: odd ones, slow ones, failures when the test wants
 * them. What is not given answers as a service with one small model would.
 */
export async function fakeEmbedding(
  methods: Partial<ServiceImpl<typeof EmbeddingService>> = {},
): Promise<FakeEmbedding> {
  const requests: EmbedRequest[] = [];
  let atOnce = 0;
  let mostAtOnce = 0;
  const server = await serve({
    config: loadConfig(serverSettings({ grpcPort: 0, httpPort: 0 }), {}),
    logger: silentLogger(),
    routes: (router) => {
      router.service(EmbeddingService, {
        info: () => ({ space: SPACE, model: "fake" }),
        ...methods,
        embed: async (request, context) => {
          requests.push(request);
          mostAtOnce = Math.max(mostAtOnce, ++atOnce);
          try {
            return await (methods.embed ?? answer)(request, context);
          } finally {
            atOnce -= 1;
          }
        },
      });
    },
  });
  return {
    url: `http://127.0.0.1:${server.httpPort}`,
    requests,
    get mostAtOnce() {
      return mostAtOnce;
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
