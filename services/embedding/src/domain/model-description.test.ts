import { describe, expect, test } from "@jest/globals";
import { readArchitecture, type ModelConfigFiles } from "./model-description.ts";
import { MINILM } from "./model.ts";

const module = (kind: string, path: string) => ({ path, type: `sentence_transformers.models.${kind}` });
const TRANSFORMER = module("Transformer", "");
const POOLING = module("Pooling", "1_Pooling");
const NORMALIZE = module("Normalize", "2_Normalize");

const MINILM_CONFIG = {
  architectures: ["BertModel"],
  hidden_act: "gelu",
  hidden_size: 384,
  intermediate_size: 1536,
  layer_norm_eps: 1e-12,
  max_position_embeddings: 512,
  model_type: "bert",
  num_attention_heads: 12,
  num_hidden_layers: 6,
  pad_token_id: 0,
  position_embedding_type: "absolute",
  type_vocab_size: 2,
  vocab_size: 30_522,
};

/** As all-MiniLM-L6-v2's files are on the hub, written by an old version. */
const FILES: ModelConfigFiles = {
  config: MINILM_CONFIG,
  modules: [TRANSFORMER, POOLING, NORMALIZE],
  pooling: {
    word_embedding_dimension: 384,
    pooling_mode_cls_token: false,
    pooling_mode_mean_tokens: true,
    pooling_mode_max_tokens: false,
    pooling_mode_mean_sqrt_len_tokens: false,
  },
  sentenceBert: { max_seq_length: 256, do_lower_case: false },
  tokenizer: { model_max_length: 512, do_lower_case: true },
  sentenceTransformers: { __version__: { sentence_transformers: "2.0.0" } },
};

const read = (changes: Partial<ModelConfigFiles>, config: object = {}) =>
  readArchitecture({ ...FILES, config: { ...MINILM_CONFIG, ...config }, ...changes });

describe("is read from configuration files:", () => {
  test("the built-in model, as it is described in the source", () => {
    expect(readArchitecture(FILES)).toEqual(MINILM.architecture);
  });

  test("DistilBERT, with its own names", () => {
    const architecture = readArchitecture({
      ...FILES,
      config: {
        model_type: "distilbert",
        architectures: ["DistilBertForMaskedLM"],
        activation: "gelu",
        dim: 64,
        hidden_dim: 128,
        n_heads: 4,
        n_layers: 3,
        max_position_embeddings: 512,
        vocab_size: 100,
      },
      pooling: { embedding_dimension: 64, pooling_mode: "cls", include_prompt: true },
      modules: [TRANSFORMER, POOLING],
    });
    expect(architecture).toMatchObject({
      family: "distilbert",
      hidden: 64,
      intermediate: 128,
      heads: 4,
      layers: 3,
      tokenTypes: 0,
      firstPosition: 0,
      pooling: "cls",
      normalize: false,
    });
  });

  test.each([
    ["roberta", "RobertaModel"],
    ["xlm-roberta", "XLMRobertaModel"],
    ["camembert", "CamembertForMaskedLM"],
  ])("%s, whose positions start after its padding token", (type, name) => {
    const config = { model_type: type, architectures: [name], pad_token_id: 1, max_position_embeddings: 514 };
    const architecture = read({ sentenceBert: {}, tokenizer: { model_max_length: 512 } }, config);
    expect(architecture).toMatchObject({ family: "roberta", firstPosition: 2, maxTokens: 512 });
  });

  test.each([
    ["gelu", "gelu"],
    ["gelu_new", "gelu_tanh"],
    ["gelu_pytorch_tanh", "gelu_tanh"],
    ["relu", "relu"],
  ])("the activation %s as %s", (name, activation) => {
    expect(read({}, { hidden_act: name }).activation).toBe(activation);
  });

  test.each([
    ["as the tokenizer says", { sentenceBert: {}, tokenizer: { model_max_length: 128 } }, 128],
    ["as there are positions", { sentenceBert: {}, tokenizer: { model_max_length: 1e30 } }, 512],
    ["as there are positions, without any files", { sentenceBert: undefined, tokenizer: undefined }, 512],
    ["as sentence_bert_config.json says before all", { sentenceBert: { max_seq_length: 64 } }, 64],
  ])("texts are as long %s", (_name, files, maxTokens) => {
    expect(read(files).maxTokens).toBe(maxTokens);
  });

  test("texts are as long as they are told to be", () => {
    expect(readArchitecture(FILES, { maxTokens: 100 }).maxTokens).toBe(100);
  });

  test("the mean is taken where no pooling is stated, as sentence-transformers does", () => {
    expect(read({ pooling: { word_embedding_dimension: 384 } }).pooling).toBe("mean");
  });
});

describe("is refused, with what would be supported:", () => {
  test.each<[string, Partial<ModelConfigFiles>, object, string]>([
    [
      "another architecture",
      {},
      { model_type: "t5" },
      'config.json: model_type "t5" (supported: bert, distilbert, roberta',
    ],
    ["no architecture", {}, { model_type: undefined }, "config.json: no model_type (supported: bert"],
    [
      "a class of its own",
      {},
      { architectures: ["JinaBertModel"] },
      "architectures JinaBertModel (supported: BertModel",
    ],
    [
      "an activation",
      {},
      { hidden_act: "swish" },
      'hidden_act "swish" (supported: gelu, gelu_python, gelu_new, gelu_pytorch_tanh, relu)',
    ],
    [
      "positions",
      {},
      { position_embedding_type: "relative_key" },
      'position_embedding_type "relative_key" (supported: absolute)',
    ],
    ["a decoder", {}, { is_decoder: true }, "is_decoder true (supported: false)"],
    ["code", {}, { auto_map: { AutoModel: "x" } }, "code of the model's own (auto_map)"],
    ["quantised weights", {}, { quantization_config: {} }, "quantization_config {}"],
    [
      "a dense layer",
      { modules: [TRANSFORMER, POOLING, module("Dense", "2_Dense")] },
      {},
      "modules.json: the modules Dense (supported: Transformer, Pooling, Normalize)",
    ],
    [
      "an order",
      { modules: [TRANSFORMER, NORMALIZE, POOLING] },
      {},
      "modules.json: the order Transformer, Normalize, Pooling",
    ],
    ["no pooling", { modules: [TRANSFORMER] }, {}, "modules.json: the order Transformer"],
    [
      "a folder",
      { modules: [module("Transformer", "0_Transformer"), POOLING] },
      {},
      'the transformer in the folder "0_Transformer"',
    ],
    ["no modules", { modules: undefined }, {}, "modules.json: it is missing or no list"],
    [
      "a pooling",
      { pooling: { pooling_mode: "lasttoken" } },
      {},
      "the pooling lasttoken (supported: one of mean, cls, max)",
    ],
    [
      "two poolings",
      { pooling: { pooling_mode_mean_tokens: true, pooling_mode_max_tokens: true } },
      {},
      "the pooling max and mean",
    ],
    [
      "a pooling's width",
      { pooling: { embedding_dimension: 768 } },
      {},
      "width 768, where the transformer's is 384",
    ],
    [
      "no configuration of the pooling",
      { pooling: undefined },
      {},
      "the pooling's config.json: it is missing",
    ],
    [
      "lower-casing",
      { sentenceBert: { do_lower_case: true } },
      {},
      "sentence_bert_config.json: do_lower_case true",
    ],
    [
      "cutting at the left",
      { tokenizer: { truncation_side: "left" } },
      {},
      'truncation_side "left" (supported: right)',
    ],
    [
      "a prompt",
      { sentenceTransformers: { default_prompt_name: "query" } },
      {},
      'default_prompt_name "query"',
    ],
    ["heads", {}, { num_attention_heads: 7 }, "7 heads do not divide the width 384"],
    ["a width", {}, { hidden_size: 0 }, "hidden_size is 0, expected an integer from 1 to 65536"],
    ["layers", {}, { num_hidden_layers: 2.5 }, "num_hidden_layers is 2.5, expected an integer"],
    ["no vocabulary", {}, { vocab_size: undefined }, "vocab_size is undefined, expected an integer"],
    ["an epsilon", {}, { layer_norm_eps: -1 }, "layer_norm_eps is -1, expected a number above 0"],
    [
      "more tokens than positions",
      { sentenceBert: { max_seq_length: 513 } },
      {},
      "512 positions, of which 512 can be used, are too few for texts of 513 tokens",
    ],
    ["too few tokens", { sentenceBert: { max_seq_length: 2 } }, {}, "texts of at most 2 tokens"],
    ["no object", { config: [] }, {}, "config.json: it is not a JSON object"],
  ])("%s", (_name, files, config, message) => {
    const reading = () => readArchitecture({ ...FILES, config: { ...MINILM_CONFIG, ...config }, ...files });
    expect(reading).toThrow(expect.objectContaining({ kind: "failed-precondition" }));
    expect(reading).toThrow(message);
  });

  test("everything at once", () => {
    const reading = () =>
      read(
        {
          modules: [TRANSFORMER, POOLING, module("Dense", "2_Dense"), module("LSTM", "3_LSTM")],
          pooling: { pooling_mode: "weightedmean" },
        },
        { model_type: "mpnet", architectures: ["MPNetModel"], hidden_act: "silu", is_decoder: true },
      );
    expect(reading).toThrow(/^The model is not supported:\n {2}config\.json: /);
    for (const part of ["mpnet", "silu", "is_decoder", "Dense, LSTM", "weightedmean"])
      expect(reading).toThrow(part);
  });
});
