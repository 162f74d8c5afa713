import type { StreamMetricsRequest } from "@kindred/contracts/metrics/v1";
import type { SampleStore } from "../domain/sample.ts";
import { readSamples } from "./read-samples.ts";

/** One message at a time: the next one is taken from the connection when this one is stored. */
export function streamMetricsRpc({ store }: { store: Pick<SampleStore, "insert"> }) {
  return async (requests: AsyncIterable<StreamMetricsRequest>) => {
    let received = 0n;
    let stored = 0n;
    for await (const { samples } of requests) {
      const read = readSamples(samples);
      stored += BigInt(await store.insert(read));
      received += BigInt(read.length);
    }
    return { received, stored };
  };
}
