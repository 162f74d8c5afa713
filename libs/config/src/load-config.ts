import { readFileSync } from "node:fs";
import { parseEnv } from "node:util";
import { messageOf } from "@kindred/errors";
import type { Field } from "./fields.ts";

/** Settings by the name of their environment variable. */
export type Schema = Record<string, Field<unknown>>;

/** What loadConfig returns for a schema: one value a setting, under the setting's own name. */
export type ConfigOf<S extends Schema> = { readonly [K in keyof S]: S[K] extends Field<infer T> ? T : never };

/** EX_CONFIG of sysexits.h: the configuration is at fault, so starting again cannot help. */
export const CONFIG_EXIT_CODE = 78;

/** Every bad setting at once; `problems` holds a line each. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(`The configuration is not usable:\n${problems.map((p) => `  ${p}`).join("\n")}`);
    this.problems = problems;
  }
}

/**
 * The process's environment over the .env file of the given folder (the working directory by default): what is
 * set in the environment wins. A missing .env is fine; this is the only place that reads process.env.
 */
export function readEnvironment(folder: string = process.cwd()): Record<string, string | undefined> {
  let file: string;
  try {
    file = readFileSync(`${folder}/.env`, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return { ...process.env };
    throw error;
  }
  return { ...parseEnv(file), ...process.env };
}

/**
 * Reads every setting of the schema from `env`. An empty value counts as absent.
 * @throws ConfigError that lists all bad and missing settings together.
 */
export function loadConfig<S extends Schema>(
  schema: S,
  env: Readonly<Record<string, string | undefined>> = readEnvironment(),
): ConfigOf<S> {
  const values: Record<string, unknown> = {};
  const problems: string[] = [];
  for (const [name, field] of Object.entries(schema)) {
    const given = env[name];
    const raw = given === undefined || given === "" ? field.fallback : given;
    if (raw === undefined) {
      if (field.required) problems.push(`${name} is required (${field.expects}): ${field.description}`);
      else values[name] = field.absent;
      continue;
    }
    try {
      values[name] = field.parse(raw);
    } catch (error) {
      problems.push(`${name} ${messageOf(error)}`);
    }
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return values as ConfigOf<S>;
}
