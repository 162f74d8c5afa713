import { invalidFields, KindredError, type FieldViolation } from "@kindred/errors";
import { MINILM_SPEC, type LocalModelSpec } from "./model.ts";
import { PRECISIONS } from "./precision.ts";
import {
  completeRemoteSpec,
  REMOTE_PRESETS,
  type PartialRemoteSpec,
  type RemoteModelSpec,
} from "./remote/presets.ts";

/** A model that may be served, and how it is come by. */
export type CatalogueEntry = { readonly name: string; readonly aliases: readonly string[] } & (
  | { readonly kind: "local"; readonly spec: LocalModelSpec }
  | { readonly kind: "remote"; readonly spec: RemoteModelSpec }
);

/** What is known without a catalogue of the operator's own. */
export const BUILT_IN: readonly CatalogueEntry[] = [
  {
    kind: "local",
    name: MINILM_SPEC.name,
    aliases: [MINILM_SPEC.repository, "minilm"],
    spec: MINILM_SPEC,
  },
  ...[...REMOTE_PRESETS.values()].map((spec): CatalogueEntry => ({
    kind: "remote",
    name: spec.name,
    aliases: [],
    spec,
  })),
];

/**
 * The models that are to be served, in the order of the names. An operator's own entry goes before a built-in one of the same name.
 * @throws KindredError invalid-argument naming what is not in the catalogue, and what is.
 */
export function chooseModels(
  names: readonly string[],
  own: readonly CatalogueEntry[],
): readonly CatalogueEntry[] {
  const known = new Map([...BUILT_IN, ...own].map((entry) => [entry.name, entry]));
  const unknown = names.filter((name) => !known.has(name));
  if (unknown.length > 0 || names.length === 0) {
    const what = names.length === 0 ? "names no model" : `names ${unknown.join(", ")}, which nobody knows`;
    throw new KindredError("invalid-argument", `${what}; known are ${[...known.keys()].join(", ")}`);
  }
  return [...new Set(names)].map((name) => known.get(name) as CatalogueEntry);
}

type Json = Record<string, unknown>;

/** Reads the fields of one JSON object, and keeps account of what is wrong with them. */
class Fields {
  readonly #object: Json;
  readonly #path: string;
  readonly #violations: FieldViolation[];
  readonly #read = new Set<string>();

  constructor(object: Json, path: string, violations: FieldViolation[]) {
    this.#object = object;
    this.#path = path;
    this.#violations = violations;
  }

  reject(name: string, description: string): undefined {
    this.#violations.push({ field: `${this.#path}.${name}`, description });
    return undefined;
  }

  #value<T>(name: string, expects: string, accept: (value: unknown) => T | undefined): T | undefined {
    this.#read.add(name);
    const value = this.#object[name];
    if (value === undefined) return undefined;
    return accept(value) ?? this.reject(name, `must be ${expects}, is ${JSON.stringify(value)}`);
  }

  text(name: string, pattern: RegExp = /./, expects = "a text that is not empty"): string | undefined {
    return this.#value(name, expects, (value) =>
      typeof value === "string" && pattern.test(value) ? value : undefined,
    );
  }

  required(name: string, pattern?: RegExp, expects?: string): string {
    if (this.#object[name] === undefined) this.reject(name, "is missing");
    return this.text(name, pattern, expects) ?? "";
  }

  choice<const T extends string>(name: string, choices: readonly T[]): T | undefined {
    return this.#value(name, `one of ${choices.join(", ")}`, (value) =>
      choices.find((choice) => choice === value),
    );
  }

  count(name: string, max: number): number | undefined {
    return this.#value(name, `an integer from 1 to ${max}`, (value) =>
      Number.isInteger(value) && (value as number) >= 1 && (value as number) <= max
        ? (value as number)
        : undefined,
    );
  }

  amount(name: string, max: number): number | undefined {
    return this.#value(name, `a number from 0 to ${max}`, (value) =>
      typeof value === "number" && value >= 0 && value <= max ? value : undefined,
    );
  }

  flag(name: string): boolean | undefined {
    return this.#value(name, "true or false", (value) => (typeof value === "boolean" ? value : undefined));
  }

  texts(name: string): readonly string[] | undefined {
    return this.#value(name, "a list of texts", (value) =>
      Array.isArray(value) && value.every((text) => typeof text === "string" && text !== "")
        ? (value as string[])
        : undefined,
    );
  }

  /** SHA-256 and size by file name. */
  files(name: string): LocalModelSpec["files"] {
    return this.#value(
      name,
      'file names with {"sha256": 64 hexadecimal digits, "bytes": number}',
      (value) => {
        if (!isObject(value)) return undefined;
        const fine = Object.values(value).every(
          (file) =>
            isObject(file) &&
            /^[0-9a-f]{64}$/.test(String(file["sha256"])) &&
            (file["bytes"] === undefined || Number.isSafeInteger(file["bytes"])),
        );
        return fine ? (value as NonNullable<LocalModelSpec["files"]>) : undefined;
      },
    );
  }

  /** A misspelt field would otherwise be a setting that does nothing. */
  rejectUnknown(): void {
    for (const name of Object.keys(this.#object)) {
      if (!this.#read.has(name))
        this.reject(name, `is no field here; there are ${[...this.#read].join(", ")}`);
    }
  }
}

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const MAX_COUNT = 1_000_000_000;

/** Without the fields that are not given, so that defaults take their place. */
function given<T extends object>(object: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as never;
}

function localEntry(fields: Fields, name: string): LocalModelSpec {
  const directory = fields.text("directory");
  const repository = fields.text("repository", /^[\w.-]+\/[\w.-]+$/, 'a hub repository, "owner/name"');
  if (directory === undefined && repository === undefined) {
    fields.reject("repository", 'is missing: give the hub\'s "owner/name", or a directory with the files');
  }
  return {
    name,
    repository: repository ?? name,
    ...given({
      directory,
      revision: fields.text("revision", /^[0-9a-f]{40}$/, "the 40 hexadecimal digits of a commit"),
      files: fields.files("files"),
      precision: fields.choice("precision", PRECISIONS),
      matryoshka: fields.flag("matryoshka"),
    }),
  };
}

function remoteEntry(fields: Fields, name: string): RemoteModelSpec {
  const basis = REMOTE_PRESETS.get(fields.choice("preset", [...REMOTE_PRESETS.keys()]) ?? "");
  const own = given({
    provider: fields.text("provider", /^[\w.-]+$/, "a short name"),
    baseUrl: fields.text("baseUrl", /^https?:\/\/.+/, "an http or https URL"),
    model: fields.text("model"),
    dimensions: fields.count("dimensions", 64_000),
    apiKeyVariable: fields.text("apiKeyVariable", /^[A-Za-z_]\w*$/, "the name of an environment variable"),
    revision: fields.text("revision", /^[\w.-]+$/, "a short text"),
    maxTexts: fields.count("maxTexts", 100_000),
    maxTokensPerRequest: fields.count("maxTokensPerRequest", MAX_COUNT),
    maxTokens: fields.count("maxTokens", MAX_COUNT),
    requestsPerMinute: fields.count("requestsPerMinute", MAX_COUNT),
    tokensPerMinute: fields.count("tokensPerMinute", MAX_COUNT),
    pricePerMillionTokens: fields.amount("pricePerMillionTokens", 1_000_000),
    maxConcurrency: fields.count("maxConcurrency", 1000),
    timeoutMs: fields.count("timeoutMs", 3_600_000),
    encoding: fields.choice("encoding", ["float", "base64"]),
    normalize: fields.flag("normalize"),
    matryoshka: fields.flag("matryoshka"),
  });
  const merged = { ...basis, ...own, name };
  for (const needed of ["provider", "baseUrl", "model", "dimensions"] as const) {
    if (merged[needed] === undefined) fields.reject(needed, "is missing, and there is no preset that has it");
  }
  // What is missing has been noted: the entry is never used then.
  return completeRemoteSpec({ baseUrl: "", ...merged } as PartialRemoteSpec);
}

/**
 * Reads a catalogue: {"models": [{"name": …, "kind": "local" | "remote", …}]}. services/embedding/README.md tells of all fields.
 * @throws KindredError invalid-argument naming every bad field, e.g. `models[2].dimensions`.
 */
export function parseCatalogue(json: unknown): readonly CatalogueEntry[] {
  if (!isObject(json) || !Array.isArray(json["models"])) {
    throw invalidFields([{ field: "models", description: 'is missing: a catalogue is {"models": [ … ]}' }]);
  }
  const violations: FieldViolation[] = [];
  const entries: CatalogueEntry[] = [];
  for (const [i, model] of (json["models"] as unknown[]).entries()) {
    const path = `models[${i}]`;
    if (!isObject(model)) {
      violations.push({ field: path, description: "must be an object" });
      continue;
    }
    const fields = new Fields(model, path, violations);
    const name = fields.required(
      "name",
      /^[\w./@-]{1,200}$/,
      "1 to 200 letters, digits, or any of . _ / @ -",
    );
    const aliases = fields.texts("aliases") ?? [];
    const kind = fields.choice("kind", ["local", "remote"]) ?? "local";
    entries.push(
      kind === "local"
        ? { kind, name, aliases, spec: localEntry(fields, name) }
        : { kind, name, aliases, spec: remoteEntry(fields, name) },
    );
    fields.rejectUnknown();
  }
  if (violations.length > 0) throw invalidFields(violations);
  return entries;
}
