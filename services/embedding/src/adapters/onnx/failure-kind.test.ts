import { expect, test } from "@jest/globals";
import { failureKind } from "./failure-kind.ts";

test.each([
  [
    "Non-zero status code returned while running Attention node. Status Message: bfc_arena.cc:376 " +
      "void* onnxruntime::BFCArena::AllocateRawInternal(size_t, bool) Failed to allocate memory for requested buffer of size 1073741824",
    "out-of-memory",
  ],
  [
    "CUDA failure 2: out of memory ; GPU=0 ; hostname=gpu ; expr=cudaMalloc((void**)&p, size);",
    "out-of-memory",
  ],
  [
    "CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; GPU=0 ; expr=cublasCreate(&cublas_handle_);",
    "out-of-memory",
  ],
  ["std::bad_alloc", "out-of-memory"],
  ["CUDA failure 700: an illegal memory access was encountered ; GPU=0", "session-broken"],
  ["CUBLAS failure 13: CUBLAS_STATUS_EXECUTION_FAILED ; GPU=0", "session-broken"],
  [
    "Non-zero status code returned while running EmbedLayerNormalization node: input index out of range",
    "refused",
  ],
] as const)("%s", (reason, kind) => {
  expect(failureKind(reason)).toBe(kind);
});
