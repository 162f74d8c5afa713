import { copyFile, mkdir, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readEnvironment } from "@kindred/config";
import { resolvePlaces } from "@kindred/process";

/** Of all-MiniLM-L6-v2's tokenizer.json; the weights' hash is told by the service. */
const TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037";

/** The service's own copy of one of the model's files. @throws Error when there is none. */
async function modelFile(name: string, sha256: string): Promise<string> {
  const env = readEnvironment();
  const places = [
    ...(env["EMBEDDING_MODEL_DIR"] ? [join(env["EMBEDDING_MODEL_DIR"], name)] : []),
    join(resolvePlaces(env).cache, "models", sha256, name),
  ];
  for (const path of places) {
    try {
      await stat(path);
      return path;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
  throw new Error(
    `${name} is at none of ${places.join(", ")}; point EMBEDDING_MODEL_DIR at a folder with it`,
  );
}

export function tokenizerFile(): Promise<string> {
  return modelFile("tokenizer.json", TOKENIZER_SHA256);
}

const CONFIG = {
  architectures: ["BertModel"],
  model_type: "bert",
  hidden_act: "gelu",
  hidden_size: 384,
  intermediate_size: 1536,
  num_attention_heads: 12,
  num_hidden_layers: 6,
  max_position_embeddings: 512,
  type_vocab_size: 2,
  vocab_size: 30_522,
  layer_norm_eps: 1e-12,
  pad_token_id: 0,
  position_embedding_type: "absolute",
  attention_probs_dropout_prob: 0.1,
  hidden_dropout_prob: 0.1,
  initializer_range: 0.02,
};

/** What stands beside the weights in sentence-transformers/all-MiniLM-L6-v2; everywhere 256 tokens, as in its sentence_bert_config. */
const SIDE_FILES: Record<string, object> = {
  "config.json": CONFIG,
  "modules.json": [
    { idx: 0, name: "0", path: "", type: "sentence_transformers.models.Transformer" },
    { idx: 1, name: "1", path: "1_Pooling", type: "sentence_transformers.models.Pooling" },
    { idx: 2, name: "2", path: "2_Normalize", type: "sentence_transformers.models.Normalize" },
  ],
  "1_Pooling/config.json": {
    word_embedding_dimension: 384,
    pooling_mode_cls_token: false,
    pooling_mode_mean_tokens: true,
    pooling_mode_max_tokens: false,
    pooling_mode_mean_sqrt_len_tokens: false,
  },
  "sentence_bert_config.json": { max_seq_length: 256, do_lower_case: false },
  "tokenizer_config.json": {
    tokenizer_class: "BertTokenizer",
    do_lower_case: true,
    tokenize_chinese_chars: true,
    strip_accents: null,
    model_max_length: 256,
    unk_token: "[UNK]",
    sep_token: "[SEP]",
    pad_token: "[PAD]",
    cls_token: "[CLS]",
    mask_token: "[MASK]",
  },
};

/** Lays out the model as it lies on the hub, without `onnx/model.onnx`, from the files that the service has. */
export async function writeModelFolder(folder: string, weightsSha256: string): Promise<void> {
  for (const part of ["1_Pooling", "2_Normalize", "onnx"]) {
    await mkdir(join(folder, part), { recursive: true });
  }
  for (const [name, content] of Object.entries(SIDE_FILES)) {
    await writeFile(join(folder, name), JSON.stringify(content, undefined, 2));
  }
  await copyFile(await tokenizerFile(), join(folder, "tokenizer.json"));
  await symlink(await modelFile("model.safetensors", weightsSha256), join(folder, "model.safetensors"));
}
