/** Shape of a BERT encoder. */
export interface ModelArchitecture {
  readonly vocabulary: number;
  readonly hidden: number;
  readonly intermediate: number;
  readonly heads: number;
  readonly layers: number;
  /** Position embeddings in the weights. */
  readonly positions: number;
  readonly tokenTypes: number;
  readonly layerNormEpsilon: number;
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
  readonly weights: ModelFile;
  readonly tokenizer: ModelFile;
}

/**
 * sentence-transformers/all-MiniLM-L6-v2. Architecture: its config.json. `maxTokens` is what sentence-transformers
 * uses (sentence_bert_config.json); the tokenizer.json asks for 128 and for padding to 128, and is overruled.
 */
export const MINILM: ModelDescription = {
  name: "sentence-transformers/all-MiniLM-L6-v2",
  architecture: {
    vocabulary: 30_522,
    hidden: 384,
    intermediate: 1536,
    heads: 12,
    layers: 6,
    positions: 512,
    tokenTypes: 2,
    layerNormEpsilon: 1e-12,
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
