/** Arithmetic of the compiled model. It changes speed and the last digits, never the embedding space. fp16 is for CUDA. */
export const PRECISIONS = ["fp32", "fp16", "int8"] as const;

export type Precision = (typeof PRECISIONS)[number];
