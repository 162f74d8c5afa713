// Writes docs/configuration.md from the services' own schemas; with --check, proves instead that it is current.
// usage: node tools/configuration.ts [--check]
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Schema } from "@kindred/config";
import { configSchema as embedding } from "@kindred/embedding/config";
import { configSchema as generationTracking } from "@kindred/generation-tracking/config";
import { configSchema as metrics } from "@kindred/metrics/config";
import { configSchema as vectorStore } from "@kindred/vector-store/config";

const path = fileURLToPath(new URL("../docs/configuration.md", import.meta.url));
const services: Record<string, Schema> = {
  embedding,
  "vector-store": vectorStore,
  "generation-tracking": generationTracking,
  metrics,
};

/** Settings that several services have with the same meaning, and a default each. */
function shared(name: string): boolean {
  return Object.values(services).filter((schema) => name in schema).length > 1;
}

function row(name: string, values: readonly string[]): string {
  return `| \`${name}\` | ${values.map((value) => value.replaceAll("|", "\\|")).join(" | ")} |`;
}

function defaultOf(schema: Schema, name: string): string {
  const field = schema[name];
  if (field === undefined) return "";
  if (field.required) return "required";
  return field.fallback === undefined ? "not set" : field.fallback === "" ? "empty" : `\`${field.fallback}\``;
}

function sharedTable(): string[] {
  const names = [...new Set(Object.values(services).flatMap((schema) => Object.keys(schema)))].filter(shared);
  return [
    "## Settings that services share",
    "",
    "| setting | what it is | values | default |",
    "|---|---|---|---|",
    ...names.map((name) => {
      const having = Object.entries(services).filter(([, schema]) => name in schema);
      const defaults = new Set(having.map(([, schema]) => defaultOf(schema, name)));
      const field = having[0]?.[1][name];
      const shown =
        defaults.size === 1
          ? [...defaults].join("")
          : having.map(([service, schema]) => `${service} ${defaultOf(schema, name)}`).join(", ");
      return row(name, [field?.description ?? "", field?.expects ?? "", shown]);
    }),
  ];
}

function serviceTable(service: string, schema: Schema): string[] {
  const names = Object.keys(schema).filter((name) => !shared(name));
  if (names.length === 0) return [];
  return [
    "",
    `## ${service}`,
    "",
    "| setting | what it is | values | default |",
    "|---|---|---|---|",
    ...names.map((name) =>
      row(name, [schema[name]?.description ?? "", schema[name]?.expects ?? "", defaultOf(schema, name)]),
    ),
  ];
}

const text = `${[
  "# Configuration",
  "",
  "Every service reads its settings from the environment, over a file `.env` in its working directory, and reports all bad ones",
  "together when it starts (exit code 78). This page is written from the schemas by `npm run generate`.",
  "",
  ...sharedTable(),
  ...Object.entries(services).flatMap(([service, schema]) => serviceTable(service, schema)),
].join("\n")}\n`;

if (process.argv.includes("--check")) {
  if (readFileSync(path, "utf8") !== text) {
    console.error('docs/configuration.md is not current; run "npm run generate" and commit it');
    process.exitCode = 1;
  }
} else {
  writeFileSync(path, text);
}
