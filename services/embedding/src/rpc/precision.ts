import { Precision as PrecisionMessage } from "@kindred/contracts/embedding/v1";
import type { Precision } from "../domain/precision.ts";

const PRECISIONS: Record<Precision, PrecisionMessage> = {
  fp32: PrecisionMessage.FP32,
  int8: PrecisionMessage.INT8,
  fp16: PrecisionMessage.FP16,
};

export function precisionMessage(precision: Precision | undefined): PrecisionMessage {
  return precision === undefined ? PrecisionMessage.UNSPECIFIED : PRECISIONS[precision];
}
