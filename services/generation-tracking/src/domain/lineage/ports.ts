import type { Generation, OutputFile, OutputState, Retrieval, RetrievedExample } from "../generation.ts";

/** Ends a call early: when its caller goes away, and after so long. */
export interface CallLimits {
  signal?: AbortSignal | undefined;
  timeoutMs?: number | undefined;
}

/** A generation and those that it comes from, that come from it, and that were made with it. */
export interface Lineage {
  generation: Generation;
  /** Its parent, that one's, and so on. */
  ancestors: Generation[];
  /** By ascending id. */
  descendants: Generation[];
  /** Others of its batch, by ascending id. */
  batch: Generation[];
}

/** An image as it was recorded: by its id in the vector store, or by its path. */
export type ImageReference = { imageId: bigint } | { imagePath: string };

/** A generation that retrieved an image, and that image among its examples: at its best rank. */
export interface ImageUse {
  generation: Generation;
  example: RetrievedExample;
}

/** The newest-first order of uses. */
export interface UsePosition {
  createdAtMicros: bigint;
  generationId: bigint;
}

/** Where an output is: its generation, and its place among that one's outputs, from 1. */
export interface OutputKey {
  generationId: bigint;
  position: number;
}

export interface GenerationOutput extends OutputKey {
  output: OutputFile;
}

/** What somebody found who looked at an output. */
export interface OutputFinding extends OutputKey {
  state: OutputState;
  /** Microseconds since 1970; undefined: now. */
  verifiedAtMicros: bigint | undefined;
  /** Taken where they were not known, and the file is kept. */
  sizeBytes: bigint | undefined;
  sha256: Uint8Array | undefined;
}

/** What is known of how generations belong together, and of their files. Errors are KindredErrors. */
export interface LineageStore {
  /** All of one moment. Undefined when there is no such generation. */
  lineage(
    id: bigint,
    reach: { depth: number; relatives: number },
    limits: CallLimits,
  ): Promise<Lineage | undefined>;
  /** At most `limit` uses, newest first, beginning behind `after`, and how many there are in all; of one moment. */
  uses(
    query: { image: ImageReference; after: UsePosition | undefined; limit: number },
    limits: CallLimits,
  ): Promise<{ uses: ImageUse[]; total: bigint }>;
  /** At most `limit` outputs by ascending generation and position, beginning behind `after`. */
  outputs(query: {
    generationId: bigint | undefined;
    state: OutputState | undefined;
    after: OutputKey | undefined;
    limit: number;
  }): Promise<GenerationOutput[]>;
  /**
   * Takes findings of different outputs, all of them or none. One that is older than what is known of its output changes nothing.
   * @returns how many outputs were changed
   */
  report(findings: readonly OutputFinding[]): Promise<bigint>;
}

/** What to retrieve. */
export interface RetrievalQuery {
  text: string;
  /** 1 to 1,000. */
  k: number;
  /** Least similarity. */
  threshold: number | undefined;
  /** Whether every row is to be compared. */
  exact: boolean;
}

/** The pictures that examples come from. Errors are KindredErrors: unavailable while they cannot be asked. */
export interface ExampleSource {
  /** The nearest pictures by rank, and how they were found. */
  retrieve(
    query: RetrievalQuery,
    limits: CallLimits,
  ): Promise<{ examples: RetrievedExample[]; retrieval: Retrieval }>;
  /** Whether the catalogue has the image; by its path where its id is 0. */
  hasImage(image: Pick<RetrievedExample, "imageId" | "imagePath">, limits: CallLimits): Promise<boolean>;
}
