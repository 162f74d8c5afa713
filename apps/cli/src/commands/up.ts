import { SearchResponseSchema } from "@kindred/contracts/vector-store/v1";
import type { Command } from "commander";
import { openClients } from "../clients.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { interruption } from "../interruption.ts";
import type { LocalOptions, LocalStack } from "../local/local-stack.ts";
import { toPlain } from "../plain.ts";
import { createSteps, silentSteps, type Steps } from "../terminal/steps.ts";
import { renderPairs, type Pair } from "../terminal/table.ts";
import type { AddCommand } from "./command.ts";
import { integerOption } from "./parse.ts";
import { renderSearch } from "../vectors/render-search.ts";

const SHOWN_SEARCH = "a kitten taking a nap";
const DEMO_SEARCHES = [
  SHOWN_SEARCH,
  "a storm over the sea",
  "something sweet to eat",
  "children playing outside",
];
const HITS = 3;

const HELP = `
The database: a PostgreSQL with pgvector on PATH, else one that Kindred brings along, else PGlite; or the one of DATABASE_URL.
Where things are kept: --home or KINDRED_HOME (data), KINDRED_CACHE_DIR (what can be fetched or made again).

Examples:
  kindred up
  kindred up --port 9000 --no-gallery
  kindred up --home /tmp/second --any-port        a second one beside the first
  kindred up --database postgresql://me:secret@db.example:5432/kindred`;

function startOptions(command: Command): Command {
  return command
    .option(
      "--database <kind or URL>",
      "auto, native, pglite, or a postgresql:// URL (default: DATABASE_URL, else auto)",
    )
    .option("--port <port>", "of the origin: dashboard and API (default: 8080)", integerOption(1, 65_535))
    .option("--base-port <port>", "nine ports in a row from here: origin, services", integerOption(1, 65_527))
    .option("--any-port", "any free ports")
    .option("--no-gallery", "without the sample pictures");
}

export const addUpCommand: AddCommand = (program, run) => {
  startOptions(program.command("up").description("run all of Kindred on this machine, until Ctrl+C"))
    .addHelpText("after", HELP)
    .action((options: LocalOptions, command: Command) => run(command, (context) => up(context, options)));
};

export const addDemoCommand: AddCommand = (program, run) => {
  startOptions(program.command("demo").description("like up, but show a few searches and stop"))
    .addHelpText(
      "after",
      "\nA Kindred that runs already is used as it is; when its ports are taken by others, free ones are.",
    )
    .action((options: LocalOptions, command: Command) => run(command, (context) => demo(context, options)));
};

async function up(context: Context, options: LocalOptions): Promise<ExitCode> {
  const steps = stepsFor(context);
  using interrupted = interruption(context.env);
  {
    await using stack = await startOrStop(context, options, steps, interrupted.signal);
    await announce(context, stack);
    await Promise.race([wish(interrupted.signal), stack.broken]).finally(() =>
      context.terminal.note("\nStopping: letting calls finish, then the services, then the database ..."),
    );
  }
  context.terminal.note("Stopped.");
  return EXIT.ok;
}

async function demo(context: Context, options: LocalOptions): Promise<void> {
  const steps = stepsFor(context);
  const { readRunFile } = await import("../run-file.ts");
  const running = await readRunFile(context.places.home);
  if (running) {
    steps.note(`Kindred runs already at ${running.origin}: searching there.\n`);
    await showSearches(context, running.origin);
    return;
  }
  using interrupted = interruption(context.env);
  await using stack = await startOrStop(
    context,
    await withUsablePorts(options, steps),
    steps,
    interrupted.signal,
  );
  await showSearches(context, stack.url);
}

/** The demo takes free ports rather than none, unless it was told which ones. */
async function withUsablePorts(options: LocalOptions, steps: Steps): Promise<LocalOptions> {
  if (options.anyPort || options.basePort !== undefined || options.port !== undefined) return options;
  const { arePortsFree, choosePorts } = await import("../local/ports.ts");
  if (await arePortsFree(await choosePorts(options))) return options;
  steps.note("Kindred's ports are taken; this demo uses free ones.");
  return { ...options, anyPort: true };
}

async function startOrStop(
  context: Context,
  options: LocalOptions,
  steps: Steps,
  signal: AbortSignal,
): Promise<LocalStack> {
  // What starts Kindred loads far more code than the commands that only call it.
  const { startLocal } = await import("../local/local-stack.ts");
  try {
    return await startLocal(options, { context, steps, signal });
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new Failure("Stopped before it was up; nothing is left running.", {
      exitCode: EXIT.interrupted,
      cause: error,
    });
  }
}

function stepsFor(context: Context): Steps {
  return context.json ? silentSteps : createSteps(context.terminal);
}

/** One search by text, and where everything is. */
async function announce({ terminal, json, timeoutMs }: Context, stack: LocalStack): Promise<void> {
  if (json) {
    const { url, addresses, database, home } = stack;
    terminal.result(
      JSON.stringify({
        event: "ready",
        origin: url,
        grpc: addresses,
        database,
        home: home.path,
        logs: home.logs,
      }),
    );
    return;
  }
  const reply = await timedSearch(stack.url, timeoutMs, SHOWN_SEARCH);
  terminal.result(`\n${terminal.colors.bold(`kindred search "${SHOWN_SEARCH}" -k ${HITS}`)}`);
  terminal.result(renderSearch(terminal, reply.response, reply.elapsedMs));
  const grpc = Object.entries(stack.addresses).map(([name, address]): Pair => [name, `${address} (gRPC)`]);
  terminal.result(
    `\n${renderPairs(terminal, [["dashboard", stack.url, terminal.colors.cyan], ["API", `${stack.url}/kindred.vector_store.v1.SearchService/Search and the like (Connect, gRPC-Web)`], ["OpenAI API", `${stack.url}/v1 (embeddings)`], ...grpc, ["database", stack.database], ["logs", stack.home.logs]])}`,
  );
  terminal.result("\nKindred is up. Ctrl+C stops it.");
}

async function showSearches({ terminal, json, timeoutMs }: Context, url: string): Promise<void> {
  const searches = [];
  for (const query of DEMO_SEARCHES) {
    const { response, elapsedMs } = await timedSearch(url, timeoutMs, query);
    searches.push({ query, ...toPlain(SearchResponseSchema, response) });
    if (json) continue;
    terminal.result(`\n${terminal.colors.bold(`kindred search "${query}" -k ${HITS}`)}`);
    terminal.result(renderSearch(terminal, response, elapsedMs));
  }
  if (json) terminal.json({ searches });
}

async function timedSearch(url: string, timeoutMs: number, query: string) {
  const startedAt = performance.now();
  const response = await openClients({ url, timeoutMs }).search.search({
    query: { case: "text", value: query },
    k: HITS,
  });
  return { response, elapsedMs: performance.now() - startedAt };
}

function wish(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
