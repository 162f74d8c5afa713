import { KindredError } from "@kindred/errors";
import { JsonFields } from "./json-fields.ts";
import type { Activation, ModelArchitecture, ModelFamily, Pooling } from "./model.ts";

/** The parsed configuration files of a sentence-transformers model; undefined where there is no such file. */
export interface ModelConfigFiles {
  /** config.json */
  readonly config: unknown;
  /** modules.json */
  readonly modules: unknown;
  /** config.json of the pooling module, e.g. 1_Pooling/config.json. */
  readonly pooling: unknown;
  /** sentence_bert_config.json */
  readonly sentenceBert?: unknown;
  /** tokenizer_config.json */
  readonly tokenizer?: unknown;
  /** config_sentence_transformers.json */
  readonly sentenceTransformers?: unknown;
}

const FAMILIES = new Map<unknown, { family: ModelFamily; classes: string }>([
  ["bert", { family: "bert", classes: "Bert" }],
  ["distilbert", { family: "distilbert", classes: "DistilBert" }],
  ["roberta", { family: "roberta", classes: "Roberta" }],
  ["xlm-roberta", { family: "roberta", classes: "XLMRoberta" }],
  ["camembert", { family: "roberta", classes: "Camembert" }],
]);

const ACTIVATIONS = new Map<unknown, Activation>([
  ["gelu", "gelu"],
  ["gelu_python", "gelu"],
  ["gelu_new", "gelu_tanh"],
  ["gelu_pytorch_tanh", "gelu_tanh"],
  ["relu", "relu"],
]);

const POOLINGS: readonly Pooling[] = ["mean", "cls", "max"];

/** As older versions write them: {"pooling_mode_mean_tokens": true}. */
const OLD_POOLINGS = new Map([
  ["pooling_mode_cls_token", "cls"],
  ["pooling_mode_max_tokens", "max"],
  ["pooling_mode_mean_tokens", "mean"],
  ["pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens"],
  ["pooling_mode_weightedmean_tokens", "weightedmean"],
  ["pooling_mode_lasttoken", "lasttoken"],
]);

const MODULES = ["Transformer", "Pooling", "Normalize"];

/** What goes beyond these is a mistake in the file. */
const MOST = { vocabulary: 4_000_000, width: 65_536, layers: 256, tokens: 131_072, tokenTypes: 1024 };

const names = (values: Iterable<unknown>) => [...values].join(", ");

/** Path of a module in the model's folder, by the last part of its class; undefined where there is none. */
export function modulePath(modules: unknown, kind: string): string | undefined {
  if (!Array.isArray(modules)) return undefined;
  const found = modules.find((module) => moduleKind(module) === kind) as { path?: unknown } | undefined;
  return typeof found?.path === "string" ? found.path : undefined;
}

function moduleKind(module: unknown): string {
  const { type } = (module ?? {}) as { type?: unknown };
  return typeof type === "string" ? (type.split(".").at(-1) as string) : JSON.stringify(type ?? module);
}

/** Reads modules.json: the transformer, the pooling, and perhaps scaling to length 1. @returns whether there is the latter. */
function readModules(modules: unknown, problems: string[]): boolean {
  if (!Array.isArray(modules)) {
    problems.push("modules.json: it is missing or no list; supported are models of sentence-transformers");
    return false;
  }
  const kinds = modules.map(moduleKind);
  const unknown = kinds.filter((kind) => !MODULES.includes(kind));
  if (unknown.length > 0) {
    problems.push(`modules.json: the modules ${names(unknown)} (supported: ${names(MODULES)})`);
  } else if (kinds.join() !== MODULES.slice(0, kinds.length).join() || kinds.length < 2) {
    problems.push(
      `modules.json: the order ${names(kinds)} (supported: Transformer, Pooling, and perhaps Normalize)`,
    );
  }
  const [transformer] = modules as { path?: unknown }[];
  if (kinds[0] === "Transformer" && transformer?.path !== undefined && transformer.path !== "") {
    problems.push(
      `modules.json: the transformer in the folder ${JSON.stringify(transformer.path)} (supported: "")`,
    );
  }
  return kinds.includes("Normalize");
}

function readPooling(fields: JsonFields, hidden: number): Pooling {
  const width =
    fields.optionalCount("embedding_dimension") ?? fields.optionalCount("word_embedding_dimension");
  if (width !== undefined && width !== hidden) {
    fields.problem(`width ${width}, where the transformer's is ${hidden}`);
  }
  if (fields.value("include_prompt") === false) fields.unsupported("include_prompt", ["true"]);
  const stated = fields.value("pooling_mode");
  let modes = stated === undefined ? [] : [stated].flat();
  if (stated === undefined) {
    modes = [...OLD_POOLINGS].filter(([key]) => fields.value(key) === true).map(([, mode]) => mode);
    // Where nothing is stated sentence-transformers takes the mean.
    if (modes.length === 0) modes = ["mean"];
  }
  const [mode] = modes;
  const pooling = POOLINGS.find((known) => known === mode);
  if (pooling === undefined || modes.length > 1) {
    fields.problem(`the pooling ${modes.join(" and ")} (supported: one of ${names(POOLINGS)})`);
  }
  return pooling ?? "mean";
}

/** Things that change vectors and that nothing here would do. */
function refuseWhatWouldBeIgnored(files: ModelConfigFiles, config: JsonFields, problems: string[]): void {
  config.onlyIf("position_embedding_type", ["absolute"]);
  config.onlyIf("is_decoder", [false]);
  config.onlyIf("add_cross_attention", [false]);
  config.onlyIf("is_encoder_decoder", [false]);
  config.onlyIf("quantization_config", [null]);
  config.onlyIf("embedding_size", [config.value("hidden_size")]);
  if (config.value("auto_map") !== undefined) {
    config.problem("code of the model's own (auto_map), which is never run");
  }
  const sentence = new JsonFields("sentence_bert_config.json", files.sentenceBert ?? {}, problems);
  sentence.onlyIf("do_lower_case", [false]);
  sentence.onlyIf("transformer_task", ["feature-extraction"]);
  sentence.onlyIf("query_expansion", [null]);
  const tokenizer = new JsonFields("tokenizer_config.json", files.tokenizer ?? {}, problems);
  tokenizer.onlyIf("truncation_side", ["right"]);
  const library = new JsonFields(
    "config_sentence_transformers.json",
    files.sentenceTransformers ?? {},
    problems,
  );
  library.onlyIf("default_prompt_name", [null]);
}

/** The length that the configuration files state, or undefined where they leave it to the number of positions. */
function statedMaxTokens(files: ModelConfigFiles, problems: string[]): number | undefined {
  const sentence = new JsonFields("sentence_bert_config.json", files.sentenceBert ?? {}, problems);
  const tokenizer = new JsonFields("tokenizer_config.json", files.tokenizer ?? {}, problems);
  const stated = sentence.optionalCount("max_seq_length");
  if (stated !== undefined) return stated;
  // Where a tokenizer knows no limit it says 10^30.
  const limit = tokenizer.value("model_max_length");
  return typeof limit === "number" && limit <= MOST.tokens
    ? tokenizer.optionalCount("model_max_length")
    : undefined;
}

/**
 * Reads a model's architecture from its configuration files.
 * @param overrides goes before what the files say.
 * @throws KindredError failed-precondition naming everything that is not supported or not valid, and what is.
 */
export function readArchitecture(
  files: ModelConfigFiles,
  overrides: { readonly maxTokens?: number | undefined } = {},
): ModelArchitecture {
  const problems: string[] = [];
  const config = new JsonFields("config.json", files.config, problems);
  const known = FAMILIES.get(config.value("model_type"));
  if (known === undefined) config.unsupported("model_type", [...FAMILIES.keys()]);
  const classes = config.value("architectures");
  if (known !== undefined && Array.isArray(classes)) {
    const pattern = new RegExp(`^${known.classes}(?:Model|For[A-Za-z]+)$`);
    const strange = classes.filter((name) => !pattern.test(String(name)));
    if (strange.length > 0) {
      config.problem(
        `architectures ${names(strange)} (supported: ${known.classes}Model and ${known.classes}For…)`,
      );
    }
  }

  const family = known?.family ?? "bert";
  // DistilBERT has names of its own for nearly everything.
  const distil = family === "distilbert";
  const act = distil ? "activation" : "hidden_act";
  const activation = ACTIVATIONS.get(config.value(act) ?? "gelu");
  if (activation === undefined) config.unsupported(act, [...ACTIVATIONS.keys()]);
  refuseWhatWouldBeIgnored(files, config, problems);

  const hidden = config.count(distil ? "dim" : "hidden_size", MOST.width);
  const heads = config.count(distil ? "n_heads" : "num_attention_heads", MOST.width);
  if (hidden % heads !== 0) config.problem(`${heads} heads do not divide the width ${hidden}`);
  const positions = config.count("max_position_embeddings", MOST.tokens);
  const firstPosition = family === "roberta" ? config.integer("pad_token_id", 0, MOST.vocabulary, 1) + 1 : 0;
  const room = positions - firstPosition;
  const stated = overrides.maxTokens ?? statedMaxTokens(files, problems);
  const maxTokens = stated ?? room;
  // sentence-transformers itself takes the number of positions where it is the smaller one, but for RoBERTa's offset.
  const fits = maxTokens <= room || (overrides.maxTokens === undefined && maxTokens === positions);
  if (room < 3 || !fits) {
    config.problem(
      `${positions} positions, of which ${room} can be used, are too few for texts of ${maxTokens} tokens`,
    );
  } else if (maxTokens < 3) {
    problems.push(`texts of at most ${maxTokens} tokens, which leaves no room between the special ones`);
  }

  const normalize = readModules(files.modules, problems);
  const pooling = readPooling(new JsonFields("the pooling's config.json", files.pooling, problems), hidden);
  const architecture: ModelArchitecture = {
    family,
    vocabulary: config.count("vocab_size", MOST.vocabulary),
    hidden,
    intermediate: config.count(distil ? "hidden_dim" : "intermediate_size", MOST.width),
    heads,
    layers: config.count(distil ? "n_layers" : "num_hidden_layers", MOST.layers),
    positions,
    firstPosition,
    tokenTypes: distil ? 0 : config.integer("type_vocab_size", 0, MOST.tokenTypes, 2),
    // DistilBERT's is fixed in its code.
    layerNormEpsilon: distil ? 1e-12 : config.positive("layer_norm_eps", 1e-12),
    activation: activation ?? "gelu",
    pooling,
    normalize,
    maxTokens: Math.min(maxTokens, room),
  };
  if (problems.length > 0) {
    const lines = problems.map((problem) => `  ${problem}`);
    throw new KindredError("failed-precondition", ["The model is not supported:", ...lines].join("\n"));
  }
  return architecture;
}
