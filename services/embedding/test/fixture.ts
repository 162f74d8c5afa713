import { createClient, type Client } from "@connectrpc/connect";
import { readEnvironment } from "@kindred/config";
import { EmbeddingService, type EmbedResponse } from "@kindred/contracts/embedding/v1";
import { openChannel, unpackVectors } from "@kindred/rpc";
import { silentLogger } from "@kindred/testing";
import { createApp, type App } from "../src/app.ts";
import { readConfig } from "../src/config.ts";

export interface RunningService extends AsyncDisposable {
  readonly app: App;
  readonly client: Client<typeof EmbeddingService>;
}

/** The service as it is run, on free ports, with the model that the machine's own configuration leads to. */
export async function startService(settings: Record<string, string>): Promise<RunningService> {
  await using stack = new AsyncDisposableStack();
  const config = readConfig({ ...readEnvironment(), GRPC_PORT: "0", HTTP_PORT: "0", ...settings });
  const app = stack.use(await createApp(config, { logger: silentLogger() }));
  const channel = stack.use(
    openChannel({ address: `127.0.0.1:${app.ready.grpcPort}`, defaultTimeoutMs: 120_000 }),
  );
  const running = stack.move();
  return {
    app,
    client: createClient(EmbeddingService, channel.transport),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** The vectors of a reply, one a text. */
export function vectorsOf(
  reply: EmbedResponse | { readonly vectors: Uint8Array; readonly dimensions: number },
): Float32Array[] {
  const dimensions = "dimensions" in reply ? reply.dimensions : (reply.space?.dimensions ?? 0);
  const all = unpackVectors(reply.vectors, dimensions);
  return Array.from({ length: all.length / dimensions }, (_, i) =>
    all.subarray(i * dimensions, (i + 1) * dimensions),
  );
}

export function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i] as number, b[i] as number];
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  return ab / Math.sqrt(aa * bb);
}

/** Ranks from 0; equal values share the mean of their ranks. */
function ranks(values: readonly number[]): number[] {
  const order = values.map((_, i) => i).toSorted((a, b) => (values[a] as number) - (values[b] as number));
  const result: number[] = [];
  for (let start = 0; start < order.length;) {
    let end = start;
    while (end < order.length && values[order[end] as number] === values[order[start] as number]) end++;
    for (let i = start; i < end; i++) result[order[i] as number] = (start + end - 1) / 2;
    start = end;
  }
  return result;
}

function centred(values: readonly number[]): number[] {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return values.map((value) => value - mean);
}

/** Spearman's rank correlation, ties included: Pearson's of the ranks. */
export function spearman(a: readonly number[], b: readonly number[]): number {
  return cosine(centred(ranks(a)), centred(ranks(b)));
}

/** The lines of a CSV file with quoted fields (RFC 4180, no line breaks inside of fields). */
export function parseCsv(content: string): string[][] {
  return content
    .trim()
    .split("\n")
    .map((line) =>
      [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(
        ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? "",
      ),
    );
}
