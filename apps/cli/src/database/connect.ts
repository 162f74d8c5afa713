import { loadConfig } from "@kindred/config";
import { databaseSettings, openDatabase, type Database } from "@kindred/postgres";
import { createLogger, type Logger } from "@kindred/telemetry";
import type { Context } from "../context.ts";
import { databaseFailure, chooseDatabase, openLocalDatabase, type LocalDatabase } from "../local/database.ts";
import { takeHome } from "../local/home.ts";
import { readRunFile } from "../run-file.ts";
import { createSteps, silentSteps } from "../terminal/steps.ts";

/** Warnings about the server are `db verify`'s own business. */
export function quietLogger(): Logger {
  return createLogger({ component: "kindred-cli", level: "error" });
}

/**
 * The database that the db commands are about: the given one, that of DATABASE_URL, that of the Kindred that runs here; else the
 * embedded one, which then runs for as long as it is not disposed of.
 */
export async function findDatabase(context: Context, option: string | undefined): Promise<LocalDatabase> {
  const choice = chooseDatabase(option, context.env);
  if ("url" in choice) return describeUrl(choice.url);
  const running = await readRunFile(context.places.home);
  if (running && option === undefined) return describeUrl(running.databaseUrl);
  await using starting = new AsyncDisposableStack();
  const home = starting.use(await takeHome(context.places));
  const steps = context.json ? silentSteps : createSteps(context.terminal);
  const database = await steps.run("database", async (step) =>
    starting.use(await openLocalDatabase(choice, { home, logger: quietLogger(), step })),
  );
  const started = starting.move();
  return { ...database, [Symbol.asyncDispose]: () => started.disposeAsync() };
}

function describeUrl(url: string): LocalDatabase {
  const { host, pathname } = new URL(url);
  return { url, summary: `${host}${pathname}`, [Symbol.asyncDispose]: async () => {} };
}

/** @throws Failure in one line when it cannot be reached or used. */
export async function connect({ url, summary }: Pick<LocalDatabase, "url" | "summary">): Promise<Database> {
  const config = loadConfig(databaseSettings, { DATABASE_URL: url, DB_POOL_SIZE: "1", DB_MAX_OVERFLOW: "0" });
  try {
    return await openDatabase({
      config,
      schema: "public",
      applicationName: "kindred-cli",
      logger: quietLogger(),
    });
  } catch (error) {
    throw databaseFailure(`The database at ${summary} cannot be used`, error);
  }
}
