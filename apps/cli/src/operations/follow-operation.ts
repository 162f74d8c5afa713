import { setTimeout as sleep } from "node:timers/promises";
import { OperationState, type Operation } from "@kindred/contracts/common/v1";
import type { Command } from "commander";
import { integerOption } from "../commands/parse.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { interruption } from "../interruption.ts";
import { formatMs } from "../terminal/format.ts";
import { idTextOf, operationCalls, plainOperation, serviceOf } from "./any-operation.ts";
import { elapsedMs, titleOf } from "./describe-operation.ts";
import { lineView, movingView, silentView, type OperationView } from "./operation-view.ts";
import { watchOperation } from "./watch-operation.ts";

/** Of every command that begins an operation. */
export interface WaitOptions {
  /** False with --no-wait. */
  wait: boolean;
  requestId?: string;
  patience: number;
}

export function addWaitOptions(command: Command): Command {
  return addPatienceOption(
    command
      .option("--no-wait", "begin it, and do not wait for its end")
      .option(
        "--request-id <id>",
        "a name of your choice: the same command with the same one begins nothing twice",
      ),
  );
}

export function addPatienceOption(command: Command): Command {
  return command.option(
    "--patience <seconds>",
    "give up watching when the service has not answered for so long; the operation goes on",
    integerOption(0, 86_400),
    300,
  );
}

/**
 * Waits for an operation that was just begun, unless nobody wants to, and prints it for programs.
 * @returns the operation at its end; undefined where nobody waits for it
 * @throws Failure when it failed, or was cancelled
 */
export async function awaitOperation(
  context: Context,
  begun: Operation | undefined,
  { wait, patience }: WaitOptions,
): Promise<Operation | undefined> {
  if (!begun) throw new Failure("The service began nothing.", { remedy: "Is it of this version?" });
  const { terminal } = context;
  if (wait) return await followOperation(context, begun, { patience });
  if (context.json) terminal.json(plainOperation(begun));
  else
    terminal.result(
      ` ${titleOf(begun)} is under way; watch it with\n kindred operations watch ${idTextOf(begun)}`,
    );
  return undefined;
}

/**
 * Shows an operation until its end: a line that moves in a terminal, a line a change elsewhere, for programs either every change as one
 * line of JSON, or the operation at its end. Ctrl+C ends the watching only.
 * @throws Failure when it failed, was cancelled, or Ctrl+C came
 */
export async function followOperation(
  context: Context,
  begun: Operation,
  { patience, everyChange = false }: { patience: number; everyChange?: boolean },
): Promise<Operation> {
  const { terminal } = context;
  using interrupted = interruption(context.env);
  const { signal } = interrupted;
  const { id } = begun;
  let last = begun;
  const view = viewFor(context, begun, everyChange);
  try {
    return await view.run(async (show, note) => {
      const deps = {
        operations: operationCalls(context, serviceOf(begun)),
        sleep: (ms: number, until: AbortSignal) => sleep(ms, undefined, { signal: until }),
        now: () => performance.now(),
        onWaiting: (reason: string) =>
          note(`  waiting up to ${patience} s for the service; the operation goes on: ${reason}`),
        onResumed: () => note("  the service is back"),
      };
      for await (const operation of watchOperation(id, deps, { patienceMs: 1_000 * patience, signal })) {
        last = operation;
        show(operation);
      }
      if (context.json && !everyChange) terminal.json(plainOperation(last));
      if (last.state !== OperationState.SUCCEEDED) throw unsuccessful(last);
      return last;
    });
  } catch (error) {
    if (!signal.aborted || error instanceof Failure) throw error;
    throw new Failure(`Stopped watching; the ${titleOf(last)} goes on.`, {
      exitCode: EXIT.interrupted,
      remedy: `Watch it: kindred operations watch ${idTextOf(last)}   End it: kindred operations cancel ${idTextOf(last)}`,
      cause: error,
    });
  }
}

function viewFor({ json, terminal }: Context, begun: Operation, everyChange: boolean): OperationView {
  if (json) {
    return silentView((operation) => {
      if (everyChange) terminal.result(JSON.stringify(plainOperation(operation)));
    });
  }
  return terminal.interactive ? movingView(terminal, begun) : lineView(terminal);
}

const LEFT_BEHIND = {
  "vector-store": "what it had made is removed",
  "generation-tracking": "what it had deleted stays deleted",
};

function unsuccessful(operation: Operation): Failure {
  const took = elapsedMs(operation, new Date());
  const after = took === undefined ? "" : ` after ${formatMs(took)}`;
  if (operation.state === OperationState.CANCELLED)
    return new Failure(
      `The ${titleOf(operation)} was cancelled${after}; ${LEFT_BEHIND[serviceOf(operation)]}.`,
    );
  return new Failure(
    `The ${titleOf(operation)} failed${after}: ${operation.failure?.message || "it does not say why"}`,
    { remedy: `kindred operations show ${idTextOf(operation)}` },
  );
}
