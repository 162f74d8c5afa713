import type { ReportMetricsRequest } from "@kindred/contracts/metrics/v1";
import type { SampleWriter } from "../domain/sample-writer.ts";
import { readSamples } from "./read-samples.ts";

export function reportMetricsRpc({ writer }: { writer: SampleWriter }) {
  return async ({ samples }: Pick<ReportMetricsRequest, "samples">) => {
    await writer.write(readSamples(samples));
    return {};
  };
}
