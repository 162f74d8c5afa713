import type { FailureKind } from "./worker-protocol.ts";

/** What ONNX Runtime, its memory arena, CUDA and cuBLAS say when memory runs out. */
const OUT_OF_MEMORY =
  /out of memory|failed to allocate memory|bad[_ ]alloc|(?:cublas|cudnn)_status_alloc_failed|cudaErrorMemoryAllocation|BFCArena.*available memory/i;
/** After any other CUDA error the context is lost: every later call on it fails as well. */
const SESSION_BROKEN =
  /\bCUDA (?:error|failure)\b|CUBLAS failure|CUDNN failure|cudaError[A-Z]|CUBLAS_STATUS_|CUDNN_STATUS_/i;

/** Tells from an error's text what can be done about it; ONNX Runtime has no codes for it. */
export function failureKind(reason: string): FailureKind {
  if (OUT_OF_MEMORY.test(reason)) return "out-of-memory";
  return SESSION_BROKEN.test(reason) ? "session-broken" : "refused";
}
