/** Arithmetic of the compiled model. It changes speed and the last digits, never the embedding space. */
export type Precision = "fp32" | "int8";
