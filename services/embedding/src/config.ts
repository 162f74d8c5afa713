import { homedir } from "node:os";
import { join } from "node:path";
import { readFileSync } from "node:fs";
import {
  boolean,
  bytes,
  choice,
  ConfigError,
  integer,
  loadConfig,
  optional,
  text,
  url,
  type ConfigOf,
} from "@kindred/config";
import { messageOf } from "@kindred/errors";
import { resolvePlaces } from "@kindred/process";
import {
  metricsReporterSettings,
  modelCacheReporterSettings,
  serverSettings,
  tracingSettings,
} from "@kindred/rpc";
import { chooseModels, parseCatalogue, type CatalogueEntry } from "./domain/catalogue.ts";

/** Where the model comes from and how it is compiled; all that `prepare` needs. */
export const modelSettings = {
  EMBEDDING_MODELS: text({
    description:
      "models that are served, by their names in the catalogue, comma-separated; the first one is loaded at start and answers calls that name none",
    default: "all-MiniLM-L6-v2",
  }),
  EMBEDDING_CATALOGUE: optional(
    text({ description: "JSON file that describes more models, and overrules the built-in descriptions" }),
  ),
  EMBEDDING_MODEL_DIR: optional(
    text({
      description:
        "folder with all-MiniLM-L6-v2's model.safetensors and tokenizer.json, asked before all other sources",
    }),
  ),
  EMBEDDING_PRECISION: choice({
    description:
      "arithmetic of the compiled models; auto is fp16 on CUDA and fp32 on the CPU; int8 is more than twice as fast on the CPU and a little less exact",
    choices: ["auto", "fp32", "int8", "fp16"],
    default: "auto",
  }),
  EMBEDDING_PROVIDER: choice({
    description: "where the model runs; auto is cuda where its library is installed, else cpu",
    choices: ["auto", "cpu", "cuda"],
    default: "auto",
  }),
  REQUIRE_CUDA: boolean({
    description: "refuse to start when the model would not run on CUDA",
    default: false,
  }),
  HF_ENDPOINT: url({
    description: "address of the Hugging Face hub or of a mirror",
    schemes: ["https", "http"],
    default: "https://huggingface.co",
  }),
  HF_TOKEN: optional(text({ description: "token for the hub", secret: true })),
  HF_HUB_OFFLINE: boolean({ description: "never ask the hub over the network", default: false }),
  HF_HOME: optional(text({ description: "folder of the hub client; its cache is looked into" })),
  HF_HUB_CACHE: optional(text({ description: "the hub client's cache itself, when it is not HF_HOME/hub" })),
} as const;

export const configSchema = {
  ...serverSettings({ grpcPort: 50_051, httpPort: 8081 }),
  ...metricsReporterSettings,
  ...modelCacheReporterSettings,
  ...tracingSettings,
  ...modelSettings,
  EMBEDDING_WORKERS: optional(
    integer({
      description:
        "threads that run the model, one core each; by default the cores that this process may use",
      min: 1,
      max: 256,
    }),
  ),
  EMBEDDING_EXPRESS_WORKER: boolean({
    description:
      "one more thread that runs the model for interactive work alone, so that a search need not wait for a batch of an import; takes the memory of one more session",
    default: true,
  }),
  EMBEDDING_MAX_CONCURRENT_REQUESTS: integer({
    description: "most calls in progress; beyond it calls are refused with RESOURCE_EXHAUSTED",
    min: 1,
    max: 100_000,
    default: 512,
  }),
  EMBEDDING_CACHE_BYTES: bytes({
    description:
      "memory for the vectors of texts that were embedded lately, interactive ones only; 0 for none",
    min: "0",
    max: "64GiB",
    default: "64MiB",
  }),
  EMBEDDING_MEMORY_LIMIT: optional(
    bytes({
      description:
        "memory for all loaded models together; the least recently used ones are unloaded for others; by default three quarters of what this process may use",
      min: "64MiB",
      max: "1024GiB",
    }),
  ),
  OPENAI_API_KEY: optional(text({ description: "key for models of OpenAI", secret: true })),
  OPENAI_BASE_URL: optional(
    url({ description: "address instead of OpenAI's own, for its models", schemes: ["https", "http"] }),
  ),
  FIREWORKS_API_KEY: optional(text({ description: "key for models of Fireworks", secret: true })),
  FIREWORKS_BASE_URL: optional(
    url({ description: "address instead of Fireworks' own, for its models", schemes: ["https", "http"] }),
  ),
  EMBEDDING_MAX_BATCH_TOKENS: optional(
    integer({
      description:
        "most tokens in one batch of a model, padding included; by default 256 on the CPU, where more do not fit its cache, and 16384 on CUDA",
      min: 256,
      max: 262_144,
      unit: "tokens",
    }),
  ),
  EMBEDDING_MAX_QUEUE_TOKENS: integer({
    description:
      "most tokens that wait, interactive and bulk each; beyond it calls are refused with RESOURCE_EXHAUSTED",
    min: 1024,
    max: 1_000_000_000,
    unit: "tokens",
    default: 524_288,
  }),
} as const;

/** Folders that depend on more than one setting. */
interface Places {
  /** Model files and compiled models; KINDRED_CACHE_DIR. */
  readonly cacheDir: string;
  /** The hub client's cache. */
  readonly hubCache: string;
}

/** What follows from the settings and the catalogue together. */
interface Models {
  /** Models to serve, the default one first. */
  readonly models: readonly CatalogueEntry[];
}

export type ModelConfig = ConfigOf<typeof modelSettings> & Places & Models;
export type EmbeddingConfig = ConfigOf<typeof configSchema> &
  Places &
  Models & {
    /** The value of an environment variable that the catalogue names for a provider's key; undefined when it is not set. */
    readonly apiKey: (variable: string) => string | undefined;
  };

type Environment = Readonly<Record<string, string | undefined>>;

function placesOf(env: Environment, config: ConfigOf<typeof modelSettings>): Places {
  const userCache = env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  const hubHome = config.HF_HOME ?? join(userCache, "huggingface");
  return { cacheDir: resolvePlaces(env).cache, hubCache: config.HF_HUB_CACHE ?? join(hubHome, "hub") };
}

function modelsOf(config: ConfigOf<typeof modelSettings>): readonly CatalogueEntry[] {
  const names = config.EMBEDDING_MODELS.split(",")
    .map((name) => name.trim())
    .filter(Boolean);
  const path = config.EMBEDDING_CATALOGUE;
  let own: readonly CatalogueEntry[] = [];
  if (path !== undefined) {
    try {
      own = parseCatalogue(JSON.parse(readFileSync(path, "utf8")));
    } catch (error) {
      throw new ConfigError([`EMBEDDING_CATALOGUE ${path}: ${messageOf(error)}`]);
    }
  }
  try {
    return chooseModels(names, own);
  } catch (error) {
    throw new ConfigError([`EMBEDDING_MODELS ${messageOf(error)}`]);
  }
}

/** @throws ConfigError that lists every bad setting. */
export function readModelConfig(env: Environment): ModelConfig {
  const config = loadConfig(modelSettings, env);
  return { ...config, ...placesOf(env, config), models: modelsOf(config) };
}

/** @throws ConfigError that lists every bad setting. */
export function readConfig(env: Environment): EmbeddingConfig {
  const config = loadConfig(configSchema, env);
  return {
    ...config,
    ...placesOf(env, config),
    models: modelsOf(config),
    apiKey: (variable) => env[variable] || undefined,
  };
}
