import type { Generation, GenerationFields } from "./generation.ts";

/** For tests: a completed generation of a prompt and nothing else, but for what is given. */
export function plainFields(given: Partial<GenerationFields> = {}): GenerationFields {
  return {
    prompt: "a cat",
    augmentedPrompt: "",
    outputPath: "",
    seed: undefined,
    numInferenceSteps: undefined,
    guidanceScale: undefined,
    generationTimeMs: undefined,
    memoryUsageMb: undefined,
    modelConfig: undefined,
    retrievedExamples: [],
    status: "completed",
    errorMessage: "",
    negativePrompt: "",
    sampler: "",
    width: undefined,
    height: undefined,
    modelName: "",
    modelHash: "",
    batchId: "",
    parentId: undefined,
    sessionId: "",
    labels: [],
    rating: undefined,
    retrieval: undefined,
    outputs: [],
    ...given,
  };
}

/** The same as it is stored: the first one ever, ended when it was recorded, in 1970. */
export function plainGeneration(given: Partial<Generation> = {}): Generation {
  return {
    ...plainFields(),
    id: 1n,
    createdAtMicros: 0n,
    progress: undefined,
    leaseExpiresAtMicros: undefined,
    finishedAtMicros: 0n,
    ...given,
  };
}
