import type { Command } from "commander";
import { repositoryPath, runTask, SERVICES, TaskError } from "@kindred/process";
import type { Context } from "../context.ts";
import type { Check } from "../database/verify.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import type { Terminal } from "../terminal/terminal.ts";
import type { AddCommand } from "./command.ts";

interface DatabaseOptions {
  database?: string;
}

const HELP = `
Which database: --database, else DATABASE_URL (also from .env), else that of the Kindred that runs here, else the embedded one of
this installation, which is started for the command.`;

export const addDatabaseCommands: AddCommand = (program, run) => {
  const db = program
    .command("db")
    .description("the database itself; the only commands that open it")
    .addHelpText("after", HELP);
  const add = (
    name: string,
    description: string,
    work: (context: Context, options: DatabaseOptions) => Promise<ExitCode | void>,
  ): void => {
    db.command(name)
      .description(description)
      .option("--database <kind or URL>", "auto, native, pglite, or a postgresql:// URL")
      .addHelpText("after", HELP)
      .action((options: DatabaseOptions, command: Command) =>
        run(command, (context) => work(context, options)),
      );
  };
  add("setup", "create or bring up to date what the services keep their data in", setUp);
  add(
    "verify",
    "look at server, pgvector, tables, columns, indexes; exit code 1 when something is wrong",
    verify,
  );
  add("test", "write, search and read back, and leave nothing behind", roundTrip);
  add(
    "upgrade-vectors",
    "turn vectors that are kept as JSON, for want of pgvector, into pgvector's; services may go on meanwhile",
    async (context, options) => {
      const { upgradeVectors } = await import("../database/upgrade-vectors.ts");
      return await upgradeVectors(context, options);
    },
  );
};

async function setUp(context: Context, options: DatabaseOptions): Promise<void> {
  const { terminal } = context;
  const { findDatabase } = await import("../database/connect.ts");
  await using database = await findDatabase(context, options.database);
  const applied: string[] = [];
  for (const { name } of SERVICES.filter((service) => service.database)) {
    applied.push(...(await migrateService(name, database.url)));
  }
  if (context.json) terminal.json({ database: database.summary, applied });
  else if (applied.length === 0) terminal.result(` ${database.summary} was up to date`);
  else terminal.result(applied.map((line) => ` ${terminal.colors.green("✔")} ${line}`).join("\n"));
}

/** What was applied, a line each. */
async function migrateService(name: string, databaseUrl: string): Promise<string[]> {
  const applied: string[] = [];
  try {
    await runTask({
      entry: repositoryPath(`services/${name}/src/migrate.ts`),
      env: { DATABASE_URL: databaseUrl, LOG_LEVEL: "error" },
      onLog: (line, stream) => {
        if (stream === "stdout") applied.push(line);
      },
    });
  } catch (error) {
    if (!(error instanceof TaskError)) throw error;
    const said = error.stderr.filter((line) => line.trim() !== "").at(-1);
    throw new Failure(`The schema could not be set up: ${said ?? error.message}`, { cause: error });
  }
  return applied;
}

async function verify(context: Context, options: DatabaseOptions): Promise<ExitCode> {
  const { connect, findDatabase } = await import("../database/connect.ts");
  const { verifyDatabase } = await import("../database/verify.ts");
  await using found = await findDatabase(context, options.database);
  await using database = await connect(found);
  return show(context, found.summary, await verifyDatabase(database));
}

async function roundTrip(context: Context, options: DatabaseOptions): Promise<ExitCode> {
  const { connect, findDatabase } = await import("../database/connect.ts");
  const { testRoundTrip } = await import("../database/round-trip.ts");
  await using found = await findDatabase(context, options.database);
  await using database = await connect(found);
  return show(context, found.summary, await testRoundTrip(database));
}

function show({ terminal, json }: Context, database: string, checks: readonly Check[]): ExitCode {
  const failed = checks.filter((check) => check.outcome === "failed").length;
  if (json) terminal.json({ database, ok: failed === 0, checks });
  else terminal.result(renderChecks(terminal, database, checks));
  return failed === 0 ? EXIT.ok : EXIT.failure;
}

export function renderChecks(
  { colors }: Pick<Terminal, "colors">,
  database: string,
  checks: readonly Check[],
): string {
  const marks = { ok: colors.green("✔"), warning: colors.yellow("!"), failed: colors.red("✘") };
  const width = Math.max(...checks.map(({ name }) => name.length));
  return [
    ` ${colors.bold(database)}`,
    ...checks.map(({ name, outcome, detail }) => ` ${marks[outcome]} ${name.padEnd(width)}  ${detail}`),
  ].join("\n");
}
