import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "@connectrpc/connect";
import {
  GenerationSchema,
  GenerationStatus,
  type Generation,
  type GenerationService,
} from "@kindred/contracts/generation-tracking/v1";
import type { Command } from "commander";
import { openClients } from "../clients.ts";
import type { AddCommand } from "../commands/command.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { interruption } from "../interruption.ts";
import { addPatienceOption } from "../operations/follow-operation.ts";
import type { PatienceDeps } from "../patience.ts";
import { toPlain } from "../plain.ts";
import { resumedStream, WATCH_TIMEOUT_MS, type WatchOptions } from "../resumed-stream.ts";
import { createSteps } from "../terminal/steps.ts";
import { idArgument } from "./arguments.ts";
import { progressText, renderGeneration } from "./render-generation.ts";
import { statusName } from "./status.ts";

const HELP = `
Ctrl+C ends the watching; the generation goes on. With --json every change is one line of JSON.
Exit code 0 when it is completed, 1 when it failed or was cancelled.`;

export const addWatchCommand: AddCommand = (generations, run) => {
  addPatienceOption(
    generations
      .command("watch")
      .argument("<id>", "as start shows it", idArgument)
      .description("watch one until its end: how far it is, and how it ended"),
  )
    .addHelpText("after", HELP)
    .action((id: bigint, { patience }: { patience: number }, command: Command) =>
      run(command, (context) => watch(context, id, patience)),
    );
};

export interface WatchDeps extends PatienceDeps {
  generations: Pick<Client<typeof GenerationService>, "watchGeneration">;
}

/** The generation as it is, then whenever it changes, until it has ended; see resumedStream. */
export async function* watchGeneration(
  id: bigint,
  deps: WatchDeps,
  options: WatchOptions,
): AsyncGenerator<Generation> {
  const updates = resumedStream(
    {
      what: "the generation",
      open: (signal) => deps.generations.watchGeneration({ id }, { signal, timeoutMs: WATCH_TIMEOUT_MS }),
      isOver: ({ generation }) => generation !== undefined && isOver(generation),
    },
    deps,
    options,
  );
  for await (const { generation } of updates) if (generation) yield generation;
}

function isOver({ status }: Generation): boolean {
  return status !== GenerationStatus.RUNNING;
}

async function watch(context: Context, id: bigint, patience: number): Promise<void> {
  const { json, terminal } = context;
  using interrupted = interruption(context.env);
  const { signal } = interrupted;
  try {
    const last = await follow(context, id, { patienceMs: 1_000 * patience, signal });
    if (!json) terminal.result(renderGeneration(terminal, last));
  } catch (error) {
    if (!signal.aborted || error instanceof Failure) throw error;
    throw new Failure(`Stopped watching; generation ${id} goes on.`, {
      exitCode: EXIT.interrupted,
      remedy: `Watch it: kindred generations watch ${id}   End it: kindred generations cancel ${id}`,
      cause: error,
    });
  }
}

/** Shows every change. @returns the generation when it is completed @throws Failure when it ended otherwise */
async function follow(context: Context, id: bigint, options: WatchOptions): Promise<Generation> {
  const { json, terminal } = context;
  const each = async (show: (generation: Generation) => void, note: (text: string) => void) => {
    const deps: WatchDeps = {
      generations: openClients(context).generations,
      sleep: (ms, until) => sleep(ms, undefined, { signal: until }),
      now: () => performance.now(),
      onWaiting: (reason) => note(`  waiting for the service; the generation goes on: ${reason}`),
      onResumed: () => note("  the service is back"),
    };
    let last: Generation | undefined;
    for await (const generation of watchGeneration(id, deps, options)) {
      last = generation;
      show(generation);
    }
    return requireCompleted(id, last);
  };
  if (json) {
    return await each(
      (generation) => terminal.result(JSON.stringify(toPlain(GenerationSchema, generation))),
      () => {},
    );
  }
  if (!terminal.interactive) {
    return await each(
      (generation) =>
        terminal.note(`  ${[statusName(generation.status), progressText(generation)].join("  ")}`),
      (text) => terminal.note(text),
    );
  }
  const steps = createSteps(terminal);
  const { generation } = await steps.run("generation", async (step) => {
    const last = await each(
      ({ status, progress }) => {
        const counted = progress && progress.total > 0 ? progress : undefined;
        step.progress(statusName(status), counted?.done, counted?.total, progress?.message ?? "");
      },
      (text) => steps.note(text),
    );
    return { summary: statusName(last.status), generation: last };
  });
  return generation;
}

function requireCompleted(id: bigint, last: Generation | undefined): Generation {
  if (last?.status === GenerationStatus.COMPLETED) return last;
  const how =
    last?.status === GenerationStatus.CANCELLED
      ? "was cancelled"
      : `failed: ${last?.errorMessage || "nobody says why"}`;
  throw new Failure(`Generation ${id} ${how}.`, { remedy: `kindred generations show ${id}` });
}
