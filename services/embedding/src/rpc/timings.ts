import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { Embeddings } from "../domain/embedder.ts";

/** As an EmbedTimings message, in whole milliseconds. */
export function timingsMessage({ queueMs, tokenizeMs, inferenceMs }: Embeddings) {
  return {
    queue: durationFromMs(Math.round(queueMs)),
    tokenize: durationFromMs(Math.round(tokenizeMs)),
    inference: durationFromMs(Math.round(inferenceMs)),
  };
}
