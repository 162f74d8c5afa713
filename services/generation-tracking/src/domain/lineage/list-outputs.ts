import { pageTokens } from "@kindred/page-tokens";
import type { OutputState } from "../generation.ts";
import type { GenerationOutput, LineageStore } from "./ports.ts";

/** The generation, and the place in it. */
const tokens = pageTokens({ name: "outputs", position: ["integer", "integer"] });

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
  const begin = tokens.open({ generationId, state }, request.pageToken);
  const after = begin && { generationId: begin[0], position: Number(begin[1]) };
  const found = await deps.lineage.outputs({ generationId, state, after, limit: pageSize + 1 });
  const outputs = found.slice(0, pageSize);
  const last = outputs.at(-1);
  return {
    outputs,
    nextPageToken:
      found.length > pageSize && last
        ? tokens.seal({ generationId, state }, [last.generationId, BigInt(last.position)])
        : "",
  };
}
