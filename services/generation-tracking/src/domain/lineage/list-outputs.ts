import type { OutputState } from "../generation.ts";
import { decodePosition, encodePosition } from "./page-token.ts";
import type { GenerationOutput, LineageStore } from "./ports.ts";

/**
 * One page of output files, by ascending generation and place in it.
 * @param request.pageSize at least 1
 * @throws KindredError invalid-argument on `page_token`.
 */
export async function listOutputs(
  deps: { lineage: Pick<LineageStore, "outputs"> },
  request: {
    generationId: bigint | undefined;
    state: OutputState | undefined;
    pageSize: number;
    pageToken: string;
  },
): Promise<{ outputs: GenerationOutput[]; nextPageToken: string }> {
  const { generationId, state, pageSize } = request;
  const list = ["outputs", String(generationId ?? ""), state ?? ""];
  const position = decodePosition(list, request.pageToken, 2) as [bigint, bigint] | undefined;
  const after = position && { generationId: position[0], position: Number(position[1]) };
  const found = await deps.lineage.outputs({ generationId, state, after, limit: pageSize + 1 });
  const outputs = found.slice(0, pageSize);
  const last = outputs.at(-1);
  return {
    outputs,
    nextPageToken:
      found.length > pageSize && last ? encodePosition(list, [last.generationId, BigInt(last.position)]) : "",
  };
}
