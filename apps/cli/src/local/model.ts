import { repositoryPath, runTask, TaskError } from "@kindred/process";
import { EXIT } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { describePhase, describeSource } from "../models/model-progress.ts";
import type { Step } from "../terminal/steps.ts";

/** A line of services/embedding/src/prepare.ts; `done` and `total` in bytes. */
interface PrepareMessage {
  phase: "download" | "verify" | "compile" | "ready";
  done: number;
  total: number;
  source: string;
}

const MAX_REASON = 160;

/** Obtains and compiles the model; returns in one line where it came from. */
export async function prepareModel(deps: {
  env: Readonly<Record<string, string>>;
  step: Step;
  signal: AbortSignal;
}): Promise<string> {
  let source = "";
  try {
    await runTask({
      entry: repositoryPath("services/embedding/src/prepare.ts"),
      env: deps.env,
      signal: deps.signal,
      onMessage: (message) => {
        const { phase, done, total, source: from } = message as PrepareMessage;
        source = describeSource(from);
        if (phase !== "ready") deps.step.progress(describePhase(phase, from, total), done, total);
      },
    });
  } catch (error) {
    throw error instanceof TaskError ? modelFailure(error) : error;
  }
  return `all-MiniLM-L6-v2 from ${source}`;
}

/** The task says what is wrong, then each source that was tried in an indented line, then a remedy. */
function modelFailure(error: TaskError): Failure {
  const said = error.stderr.filter((line) => line.trim() !== "" && !line.startsWith("{"));
  if (said.some((line) => /ENOSPC|no space left/i.test(line))) {
    return new Failure("The disk is full: the model could not be stored.", {
      exitCode: EXIT.cannotWrite,
      cause: error,
    });
  }
  const remedy = said.find((line) => line.startsWith("Remedy: "))?.slice("Remedy: ".length);
  const tried = said.filter((line) => line.startsWith("  ")).map((line) => shorten(line.trim()));
  const what = said.find((line) => !line.startsWith("  ")) ?? error.message;
  return new Failure([what.replace(/[.:]$/, ""), tried.join("; ")].filter(Boolean).join(": ").concat("."), {
    exitCode: error.exitCode === EXIT.config ? EXIT.config : EXIT.unavailable,
    remedy: remedy && `${remedy[0]?.toUpperCase()}${remedy.slice(1)}`,
    cause: error,
  });
}

function shorten(text: string): string {
  return text.length <= MAX_REASON ? text : `${text.slice(0, MAX_REASON - 3)}...`;
}
