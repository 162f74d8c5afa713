import { ConfigError, duration, url as urlField } from "@kindred/config";
import { messageOf } from "@kindred/errors";
import { resolvePlaces, type Places } from "@kindred/process";
import { EXIT } from "./exit-codes.ts";
import { Failure } from "./failure.ts";
import { readRunFile, type RunFile } from "./run-file.ts";
import type { Terminal } from "./terminal/terminal.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** The options that every command has. */
export interface GlobalOptions {
  json?: boolean;
  url?: string;
  timeout?: string;
  home?: string;
}

/** What a command is given: where to look, where to write. */
export interface Context {
  readonly terminal: Terminal;
  readonly json: boolean;
  readonly env: Environment;
  readonly places: Places;
  /** Where Kindred's origin is. */
  readonly url: string;
  /** Limit of each call, in milliseconds. */
  readonly timeoutMs: number;
  /** The Kindred that `kindred up` runs on this machine and that `url` leads to; undefined when it leads elsewhere. */
  readonly local: RunFile | undefined;
}

export const DEFAULT_URL = "http://127.0.0.1:8080";
const DEFAULT_TIMEOUT = "30s";

const originUrl = urlField({ description: "Where Kindred's HTTP origin is.", schemes: ["http", "https"] });
const timeout = duration({ description: "Limit of each call.", min: "1ms", max: "24h" });

/** @throws ConfigError for a bad KINDRED_URL, Failure for a bad option. */
export async function createContext(
  options: GlobalOptions,
  deps: { env: Environment; terminal: Terminal },
): Promise<Context> {
  const { env, terminal } = deps;
  const places = resolvePlaces(options.home === undefined ? env : { ...env, KINDRED_HOME: options.home });
  const running = await readRunFile(places.home);
  const url = chooseUrl(options, env, running);
  return {
    terminal,
    json: options.json ?? false,
    env,
    places,
    url,
    timeoutMs: parseOption("--timeout", options.timeout ?? DEFAULT_TIMEOUT, timeout.parse),
    local: running?.origin === url ? running : undefined,
  };
}

function chooseUrl(options: GlobalOptions, env: Environment, running: RunFile | undefined): string {
  if (options.url !== undefined) return withoutSlash(parseOption("--url", options.url, originUrl.parse));
  if (env["KINDRED_URL"]) {
    try {
      return withoutSlash(originUrl.parse(env["KINDRED_URL"]));
    } catch (error) {
      throw new ConfigError([`KINDRED_URL ${messageOf(error)}`]);
    }
  }
  return running?.origin ?? DEFAULT_URL;
}

function withoutSlash(url: string): string {
  return url.replace(/\/+$/, "");
}

function parseOption<T>(name: string, raw: string, parse: (raw: string) => T): T {
  try {
    return parse(raw);
  } catch (error) {
    throw new Failure(`${name} ${messageOf(error)}`, { exitCode: EXIT.usage, cause: error });
  }
}
