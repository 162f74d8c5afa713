import { statSync } from "node:fs";
import { join } from "node:path";
import { createClient, type Client } from "@connectrpc/connect";
import { EmbeddingService, type InfoResponse } from "@kindred/contracts/embedding/v1";
import { Health } from "@kindred/contracts/grpc-health/v1";
import { repositoryPath, superviseProcess } from "@kindred/process";
import { openChannel } from "@kindred/rpc";
import { cpuLimit } from "@kindred/telemetry";

export type Precision = "fp32" | "int8";
export const PRECISIONS: readonly Precision[] = ["fp32", "int8"];

/** The embedding service as a process of its own; disposing of it stops it. */
export interface RunningEmbedding extends AsyncDisposable {
  readonly client: Client<typeof EmbeddingService>;
  readonly health: Client<typeof Health>;
  readonly info: InfoResponse;
  /** host:port of its gRPC port. */
  readonly address: string;
  readonly pid: number;
}

/** Cores that this machine gives: so many threads run the model, here and at every competitor's. */
export const CORES = Math.max(1, Math.floor(cpuLimit().cores));

const CALL_TIMEOUT_MS = 300_000;
const READY_TIMEOUT_MS = 600_000;

/** Starts the service on free ports and waits until it is warm. */
export async function startEmbedding(
  precision: Precision,
  options: { env?: Record<string, string>; nodeArgs?: readonly string[] } = {},
): Promise<RunningEmbedding> {
  const service = superviseProcess({
    name: "embedding",
    entry: repositoryPath("services/embedding/src/main.ts"),
    env: {
      GRPC_PORT: "0",
      HTTP_PORT: "0",
      LOG_LEVEL: "error",
      EMBEDDING_PRECISION: precision,
      // The default, said aloud: Info counts sessions, of which one may be for interactive work alone.
      EMBEDDING_WORKERS: String(CORES),
      ...options.env,
    },
    nodeArgs: options.nodeArgs ?? [],
    restart: "never",
    onLog: (line) => console.error(line),
    readyTimeoutMs: READY_TIMEOUT_MS,
  });
  await using starting = new AsyncDisposableStack();
  starting.use(service);
  const ready = await service.ready;
  const address = `127.0.0.1:${String(ready["grpcPort"])}`;
  const channel = starting.use(openChannel({ address, defaultTimeoutMs: CALL_TIMEOUT_MS }));
  const client = createClient(EmbeddingService, channel.transport);
  const info = await client.info({});
  const running = starting.move();
  return {
    client,
    health: createClient(Health, channel.transport),
    info,
    address,
    pid: service.pid as number,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** Path of the ONNX file that the service runs. */
export async function compiledModel({ client }: RunningEmbedding): Promise<string> {
  const { models } = await client.listModels({});
  const path = models.find((model) => model.isDefault)?.cachePath;
  if (!path)
    throw new Error("the service does not say where its compiled model is: ListModels has no cache_path");
  return statSync(path).isDirectory() ? join(path, "model.onnx") : path;
}

const TOKENIZE_AT_ONCE = 5000;

/** The service's own token ids of the texts, special tokens included. */
export async function tokenIds(service: RunningEmbedding, texts: readonly string[]): Promise<number[][]> {
  const ids: number[][] = [];
  for (let start = 0; start < texts.length; start += TOKENIZE_AT_ONCE) {
    const { results } = await service.client.tokenize({
      texts: texts.slice(start, start + TOKENIZE_AT_ONCE),
    });
    ids.push(...results.map((result) => result.ids));
  }
  return ids;
}
