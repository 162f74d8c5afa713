import { readText } from "./images.ts";
import { configSchema as embedding } from "@kindred/embedding/config";
import { configSchema as generationTracking } from "@kindred/generation-tracking/config";
import { configSchema as metrics } from "@kindred/metrics/config";
import { configSchema as vectorStore } from "@kindred/vector-store/config";
import { configSchema as origin } from "../../apps/dashboard/server/config.ts";
import { loadConfig, type Schema } from "@kindred/config";

/** What each image reads from its environment. */
const SCHEMAS: Readonly<Record<string, Schema>> = {
  embedding,
  "vector-store": vectorStore,
  "generation-tracking": generationTracking,
  metrics,
  origin,
};

/** Read from the environment beside the schemas. */
const ELSEWHERE = ["KINDRED_CACHE_DIR", "NODE_ENV"];

export function schemaOf(image: string): Schema {
  const schema = SCHEMAS[image];
  if (schema === undefined) throw new Error(`no image ${image}`);
  return schema;
}

/** Names that the image would not read. */
export function unknownSettings(image: string, env: Readonly<Record<string, string>>): string[] {
  const schema = schemaOf(image);
  return Object.keys(env).filter((name) => !(name in schema) && !ELSEWHERE.includes(name));
}

/** The image's configuration under this environment. @throws ConfigError where it would not start. */
export function configOf(image: string, env: Readonly<Record<string, string>>): Record<string, unknown> {
  return loadConfig(schemaOf(image), env) as Record<string, unknown>;
}

/** The addresses among the settings, by whose they are: { embedding: "dns:///embedding:50051" }. */
export function peersOf(
  env: Readonly<Record<string, string>>,
  kind: "ADDRESS" | "URL",
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env)
      .filter(([name]) => name.endsWith(`_${kind}`) && name !== "DATABASE_URL")
      .map(([name, value]) => [
        name
          .slice(0, -kind.length - 1)
          .toLowerCase()
          .replaceAll("_", "-"),
        value,
      ]),
  );
}

export function dockerfileOf(folder: string): string {
  return readText(`${folder}/Dockerfile`);
}

/** "30s" as 30. */
export function seconds(text: string | undefined): number {
  const [, count] = /^(\d+)s$/.exec(text ?? "") ?? [];
  if (count === undefined) throw new Error(`${text} is no number of seconds`);
  return Number(count);
}
