import { repositoryPath, runTask, TaskError } from "@kindred/process";
import type { Context } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { createSteps, silentSteps } from "../terminal/steps.ts";
import { findDatabase } from "./connect.ts";

/** A line of services/vector-store/src/upgrade-vectors.ts while it works; in rows. */
interface ProgressMessage {
  phase: "convert" | "swap";
  collection: string;
  done: number;
  total: number;
}

/** Its last line. */
interface Report {
  phase: "ready";
  converted: { collection: string; rows: number }[];
  /** Collections with rows that cannot be converted; some of those rows' keys. */
  refused: { collection: string; rows: number; keys: string[] }[];
}

const PHASES = { convert: "converting", swap: "putting in place" } as const;

/** Turns vectors that are kept as JSON into pgvector's, with progress, and says which. */
export async function upgradeVectors(context: Context, options: { database?: string }): Promise<ExitCode> {
  await using database = await findDatabase(context, options.database);
  const steps = context.json ? silentSteps : createSteps(context.terminal);
  const { report } = await steps.run("vectors", async (step) => {
    const found = await convert(database.url, ({ phase, collection, done, total }) =>
      step.progress(`${PHASES[phase]} ${collection}`, done, total, `${done} of ${total} rows`),
    );
    const rows = found.converted.reduce((sum, each) => sum + each.rows, 0);
    return { report: found, summary: `${rows} converted` };
  });
  const { converted, refused } = report;
  if (context.json) context.terminal.json({ database: database.summary, converted, refused });
  else context.terminal.result(render(context, database.summary, report));
  return refused.length === 0 ? EXIT.ok : EXIT.failure;
}

/** @throws Failure when the task cannot do its work; rows that stand in the way are in its report. */
async function convert(databaseUrl: string, onProgress: (message: ProgressMessage) => void): Promise<Report> {
  let report: Report | undefined;
  try {
    await runTask({
      entry: repositoryPath("services/vector-store/src/upgrade-vectors.ts"),
      env: { DATABASE_URL: databaseUrl },
      onMessage: (message) => {
        const line = message as ProgressMessage | Report;
        if (line.phase === "ready") report = line;
        else onProgress(line);
      },
    });
  } catch (error) {
    if (!(error instanceof TaskError)) throw error;
    // It has said what is in the way.
    if (report) return report;
    const said = error.stderr.filter((line) => line.trim() !== "").at(-1);
    throw new Failure(`The vectors could not be converted: ${said ?? error.message}`, { cause: error });
  }
  if (!report) throw new Failure("The vectors' conversion ended without saying what it did.");
  return report;
}

function render({ terminal }: Context, database: string, { converted, refused }: Report): string {
  const { colors } = terminal;
  if (converted.length + refused.length === 0)
    return ` ${database} has no vectors in JSON: there was nothing to do`;
  return [
    ...converted.map(
      ({ collection, rows }) => ` ${colors.green("✔")} ${collection}: ${rows} vectors are pgvector's now`,
    ),
    ...refused.map(({ collection, rows, keys }) => {
      const more = rows > keys.length ? ` and ${rows - keys.length} more` : "";
      return ` ${colors.red("✘")} ${collection} stays as it is: replace or delete the ${rows} items whose vectors are of another length or no numbers: ${keys.join(", ")}${more}`;
    }),
  ].join("\n");
}
