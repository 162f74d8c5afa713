import { loadConfig } from "@kindred/config";
import { isKindredError } from "@kindred/errors";
import { databaseSettings, openDatabase, startEmbeddedServer, type Progress } from "@kindred/postgres";
import type { Logger } from "@kindred/telemetry";
import type { Environment } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import type { Step } from "../terminal/steps.ts";
import { requireSpace, type Home } from "./home.ts";

/** The database that the services are given. */
export interface LocalDatabase extends AsyncDisposable {
  url: string;
  /** For people, without the password. */
  summary: string;
}

export type DatabaseChoice = { url: string } | { kind: "auto" | "native" | "pglite" };

/** @throws Failure when the option is neither a kind nor a URL. */
export function chooseDatabase(option: string | undefined, env: Environment): DatabaseChoice {
  const chosen = option ?? (env["DATABASE_URL"] || "auto");
  if (chosen === "auto" || chosen === "native" || chosen === "pglite") return { kind: chosen };
  if (/^postgres(ql)?:\/\//.test(chosen)) return { url: chosen };
  throw new Failure(`--database must be auto, native, pglite or a postgresql:// URL.`, {
    exitCode: EXIT.usage,
  });
}

const PHASES: Record<Progress["phase"], string> = {
  download: "downloading PostgreSQL",
  unpack: "unpacking PostgreSQL",
  initialise: "creating the database",
  start: "starting",
  ready: "ready",
};

/** Starts the embedded server, or makes sure that the given one answers. */
export async function openLocalDatabase(
  choice: DatabaseChoice,
  deps: { home: Home; logger: Logger; step: Step },
): Promise<LocalDatabase> {
  if ("url" in choice) return await givenDatabase(choice.url, deps.logger);
  await requireSpace(deps.home);
  try {
    const server = await startEmbeddedServer({
      kind: choice.kind,
      dataDir: deps.home.database,
      cacheDir: deps.home.cache,
      onProgress: ({ phase, done, total }) => deps.step.progress(PHASES[phase], done, total),
      logger: deps.logger,
    });
    return {
      url: server.url,
      // PGlite is the last resort: people want to know why.
      summary:
        server.kind === "pglite" && server.reason !== ""
          ? `${server.description}: ${server.reason}`
          : server.description,
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  } catch (error) {
    throw databaseFailure("The database could not be started", error);
  }
}

async function givenDatabase(url: string, logger: Logger): Promise<LocalDatabase> {
  const { host, pathname } = new URL(url);
  try {
    const config = loadConfig(databaseSettings, { DATABASE_URL: url, DB_POOL_PROFILE: "single" });
    await using database = await openDatabase({
      config,
      schema: "public",
      applicationName: "kindred-cli",
      logger,
    });
    const { serverVersion } = database.capabilities;
    return {
      url,
      summary: `PostgreSQL ${serverVersion} at ${host}${pathname}`,
      [Symbol.asyncDispose]: async () => {},
    };
  } catch (error) {
    throw databaseFailure(`The database at ${host}${pathname} cannot be used`, error);
  }
}

export function databaseFailure(what: string, error: unknown): unknown {
  if (!isKindredError(error)) return error;
  if (/no space left|disk (is )?full|disk space/i.test(error.message)) {
    return new Failure(`The disk is full: ${error.message}.`, { exitCode: EXIT.cannotWrite, cause: error });
  }
  const message = /^the database could not/i.test(error.message)
    ? capitalised(error.message)
    : `${what}: ${error.message}`;
  return new Failure(`${message}.`, {
    exitCode: error.kind === "unavailable" ? EXIT.unavailable : EXIT.failure,
    cause: error,
  });
}

function capitalised(text: string): string {
  return `${text[0]?.toUpperCase()}${text.slice(1)}`;
}
