import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { OutputState, type GenerationOutput } from "@kindred/contracts/generation-tracking/v1";
import { Option, type Command } from "commander";
import { openClients, translated } from "../clients.ts";
import type { AddCommand } from "../commands/command.ts";
import { integerOption } from "../commands/parse.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { unreadable } from "../file-error.ts";
import { interruption } from "../interruption.ts";
import { formatBytes, formatCount, plural } from "../terminal/format.ts";
import { createSteps, silentSteps } from "../terminal/steps.ts";
import { oneLine } from "../terminal/table.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { idsArgument } from "./arguments.ts";
import type { Finding } from "./look-at-output.ts";
import { verifyOutputs, type VerifyCounts } from "./verify-outputs.ts";

const STATES = {
  kept: OutputState.KEPT,
  missing: OutputState.MISSING,
  changed: OutputState.CHANGED,
} as const;
type StateName = keyof typeof STATES;

interface CommandOptions {
  root?: string;
  state?: StateName;
  parallel: number;
  report: boolean;
}

/** An output that is not there as it was. */
interface Problem {
  generation_id: number;
  position: number;
  path: string;
  state: Finding["state"];
  reason?: string;
}

export const addVerifyCommand: AddCommand = (generations, run) => {
  generations
    .command("verify")
    .argument("[ids...]", "only the files of these generations", idsArgument)
    .description("whether output files are there as they were; run it where the files are")
    .option("--root <folder>", "where the files are (default: the pictures of the Kindred that runs here)")
    .addOption(
      new Option("--state <state>", "only files that were so the last time").choices(Object.keys(STATES)),
    )
    .option("--parallel <count>", "files that are read at a time", integerOption(1, 64), 4)
    .option("--no-report", "look only, and do not tell the service what was found")
    .addHelpText(
      "after",
      `
Relative paths count from the root; absolute ones that lie elsewhere are left out (--root / takes all of them), and so are URLs.
Size and SHA-256 of files of which they are not known are kept for the next time. Exit code 65 means that files are missing,
changed or cannot be read.

Examples:
  kindred generations verify --root /srv/results
  kindred generations verify 17 18 --json | jq '.problems[].path'`,
    )
    .action((ids: readonly bigint[] | undefined, options: CommandOptions, command: Command) =>
      // Commander gives an empty list without parsing it where nothing was given.
      run(command, (context) => verify(context, ids ?? [], options)),
    );
};

async function verify(
  context: Context,
  ids: readonly bigint[],
  { root: given, state, parallel, report }: CommandOptions,
): Promise<ExitCode> {
  const { terminal, json } = context;
  const root = await folderOf(context, given);
  const { lineage } = openClients(context);
  const steps = json ? silentSteps : createSteps(terminal);
  const problems: Problem[] = [];
  using interrupted = interruption(context.env);
  const { signal } = interrupted;
  let counts: VerifyCounts | undefined;
  try {
    ({ counts } = await steps.run("verify", async (step) => {
      const found = await translated(() =>
        verifyOutputs(
          { root, ids, state: state ? STATES[state] : OutputState.UNSPECIFIED, parallel, report },
          {
            lineage,
            signal,
            onFound: (output, finding, soFar) => {
              counts = soFar;
              step.progress(plural(soFar.looked, "file"), undefined, undefined, formatBytes(soFar.bytes));
              const problem = problemOf(output, finding);
              if (!problem) return;
              if (json) problems.push(problem);
              else terminal.result(renderProblem(terminal, problem));
            },
          },
        ),
      );
      return { counts: found, summary: `${plural(found.looked, "file")}, ${formatBytes(found.bytes)}` };
    }));
  } catch (error) {
    if (!signal.aborted) throw error;
    const told = report ? "; what was found is reported" : "";
    throw new Failure(`Stopped after ${plural(counts?.looked ?? 0, "file")}${told}.`, {
      exitCode: EXIT.interrupted,
      cause: error,
    });
  }
  if (json) terminal.json({ root, ...counts, problems });
  else terminal.result(renderCounts(terminal, counts, root));
  return counts.missing + counts.changed + counts.unreadable > 0 ? EXIT.data : EXIT.ok;
}

/** A root that is not there would make every file missing. */
async function folderOf({ local }: Context, given: string | undefined): Promise<string> {
  const root = given ?? local?.mediaRoot;
  if (root === undefined) {
    throw new Failure("No Kindred runs here, so that nothing says where the files are.", {
      exitCode: EXIT.usage,
      remedy: "Say it: --root FOLDER",
    });
  }
  const path = resolve(root);
  const found = await stat(path).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  if (!found.isDirectory()) {
    throw new Failure(`${path} is no folder.`, {
      exitCode: EXIT.data,
      remedy: "Name another one: --root FOLDER",
    });
  }
  return path;
}

function problemOf(
  { generationId, position, output }: GenerationOutput,
  finding: Finding,
): Problem | undefined {
  if (finding.state === "kept" || finding.state === "elsewhere") return undefined;
  return {
    generation_id: Number(generationId),
    position,
    path: output?.path ?? "",
    state: finding.state,
    ...(finding.state === "unreadable" && { reason: finding.reason }),
  };
}

function renderProblem({ colors }: Terminal, { state, generation_id, path, reason }: Problem): string {
  const why = reason === undefined ? "" : ` (${reason})`;
  return ` ${colors.yellow(state.padEnd("unreadable".length))}  ${generation_id}  ${oneLine(path)}${why}`;
}

function renderCounts({ colors }: Terminal, counts: VerifyCounts, root: string): string {
  const { looked, kept, missing, changed, unreadable: unread, elsewhere } = counts;
  const parts = [
    `${formatCount(kept)} kept`,
    missing > 0 && `${formatCount(missing)} missing`,
    changed > 0 && `${formatCount(changed)} changed`,
    unread > 0 && `${formatCount(unread)} that cannot be read`,
  ];
  const rest = elsewhere === 0 ? "" : colors.dim(` · ${formatCount(elsewhere)} elsewhere, not looked at`);
  return ` ${plural(looked, "file")} below ${root}: ${parts.filter(Boolean).join(", ")}${rest}`;
}
