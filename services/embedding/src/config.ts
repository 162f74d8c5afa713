import { homedir } from "node:os";
import { join } from "node:path";
import { boolean, choice, integer, loadConfig, optional, text, url, type ConfigOf } from "@kindred/config";
import { resolvePlaces } from "@kindred/process";
import { metricsReporterSettings, serverSettings } from "@kindred/rpc";

/** Where the model comes from and how it is compiled; all that `prepare` needs. */
export const modelSettings = {
  EMBEDDING_MODEL_DIR: optional(
    text({ description: "folder with model.safetensors and tokenizer.json, asked before all other sources" }),
  ),
  EMBEDDING_PRECISION: choice({
    description: "arithmetic of the compiled model; int8 is about 2.5 times as fast and a little less exact",
    choices: ["fp32", "int8"],
    default: "fp32",
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
  ...modelSettings,
  EMBEDDING_WORKERS: optional(
    integer({
      description:
        "threads that run the model, one core each; by default the cores that this process may use",
      min: 1,
      max: 256,
    }),
  ),
  EMBEDDING_MAX_BATCH_TOKENS: integer({
    description: "most tokens in one batch of the model, padding included",
    min: 256,
    max: 65_536,
    unit: "tokens",
    default: 512,
  }),
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

export type ModelConfig = ConfigOf<typeof modelSettings> & Places;
export type EmbeddingConfig = ConfigOf<typeof configSchema> & Places;

type Environment = Readonly<Record<string, string | undefined>>;

function placesOf(env: Environment, config: ConfigOf<typeof modelSettings>): Places {
  const userCache = env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  const hubHome = config.HF_HOME ?? join(userCache, "huggingface");
  return { cacheDir: resolvePlaces(env).cache, hubCache: config.HF_HUB_CACHE ?? join(hubHome, "hub") };
}

/** @throws ConfigError that lists every bad setting. */
export function readModelConfig(env: Environment): ModelConfig {
  const config = loadConfig(modelSettings, env);
  return { ...config, ...placesOf(env, config) };
}

/** @throws ConfigError that lists every bad setting. */
export function readConfig(env: Environment): EmbeddingConfig {
  const config = loadConfig(configSchema, env);
  return { ...config, ...placesOf(env, config) };
}
