import { OperationState, type Operation } from "@kindred/contracts/common/v1";
import { formatMs } from "../terminal/format.ts";
import { createSteps } from "../terminal/steps.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { kindOf } from "./any-operation.ts";
import { elapsedMs, isOver, phaseOf, progressOf, shareOf, stateOf, titleOf } from "./describe-operation.ts";

type Show = (operation: Operation) => void;
type Note = (text: string) => void;

/** Shows an operation on standard error while it is watched. */
export interface OperationView {
  /** @param watch shows every change, and resolves with the operation when it has succeeded */
  run(watch: (show: Show, note: Note) => Promise<Operation>): Promise<Operation>;
}

/** Where a program reads. */
export function silentView(show: Show): OperationView {
  return { run: (watch) => watch(show, () => {}) };
}

/** Elsewhere than in a terminal, a line for each tenth of a phase. */
const PARTS = 10;

/** One line for each change that is worth one: of state and phase, and each tenth of a phase. */
export function lineView(terminal: Terminal): OperationView {
  return {
    run: async (watch) => {
      let before = "";
      const notes = newNotes((text) => terminal.note(text));
      const end = await watch(
        (operation) => {
          notes(operation);
          if (isOver(operation)) return;
          const share = shareOf(operation);
          const part = share === undefined ? "" : String(Math.floor(PARTS * share));
          const key = [operation.state, phaseOf(operation), part].join(" ");
          if (key === before) return;
          before = key;
          const parts = [atOf(operation), ...percentOf(share), ...progressOf(operation)];
          terminal.note(`  ${nameOf(operation)}  ${parts.join(", ")}`);
        },
        (text) => terminal.note(text),
      );
      const took = elapsedMs(end, new Date());
      const time = took === undefined ? "" : `  ${terminal.colors.dim(formatMs(took))}`;
      terminal.note(`${terminal.colors.green("✔")} ${nameOf(end)}  ${titleOf(end)}${time}`);
      return end;
    },
  };
}

const TICK_MS = 1_000;

/** One line that moves, with the time that goes by also while nothing else is said. */
export function movingView(terminal: Terminal, begun: Operation): OperationView {
  return {
    run: async (watch) => {
      const steps = createSteps(terminal);
      const notes = newNotes((text) => steps.note(text));
      let last: Operation | undefined;
      let receivedAt = 0;
      const { end } = await steps.run(shortName(begun), async (step) => {
        step.progress("asking the service");
        const show = (): void => {
          if (!last) return;
          const { done, total } = last;
          const [amount = "", ...others] = progressOf(last);
          const took = elapsedOf(last, performance.now() - receivedAt);
          // The bar shows how much is done where that is known.
          const details = [...(total > 0n ? others : [amount, ...others]), ...took];
          step.progress(
            atOf(last),
            total > 0n ? Number(done) : undefined,
            total > 0n ? Number(total) : undefined,
            details.filter((part) => part !== "").join(", "),
          );
        };
        const tick = setInterval(show, TICK_MS);
        try {
          const watched = await watch((operation) => {
            notes(operation);
            last = operation;
            receivedAt = performance.now();
            show();
          }, steps.note.bind(steps));
          return { end: watched, summary: titleOf(watched) };
        } finally {
          clearInterval(tick);
        }
      });
      return end;
    },
  };
}

/** Shows the notes that were not shown yet. */
function newNotes(note: Note): Show {
  let shown = 0;
  return ({ notes }) => {
    for (const text of notes.slice(shown)) note(`  note: ${text}`);
    shown = Math.max(shown, notes.length);
  };
}

const SHORT_NAMES: Readonly<Record<string, string>> = {
  "index build": "build",
  "index rebuild": "rebuild",
  "index drop": "drop",
  "recall tuning": "tuning",
  "re-embedding": "re-embed",
  retention: "delete",
};

function shortName(operation: Operation): string {
  return SHORT_NAMES[kindOf(operation)] ?? "operation";
}

const NAME_WIDTH = 8;

function nameOf(operation: Operation): string {
  return shortName(operation).padEnd(NAME_WIDTH);
}

function atOf(operation: Operation): string {
  const isPlain = operation.state === OperationState.RUNNING && operation.phase !== "";
  return isPlain ? phaseOf(operation) : stateOf(operation);
}

function percentOf(share: number | undefined): string[] {
  return share === undefined ? [] : [`${Math.floor(100 * share)} %`];
}

/** @param sinceMs since the operation was received: what the service's clock says, and this one's span, need no common clock */
function elapsedOf(operation: Operation, sinceMs: number): string[] {
  const { startedAt, updatedAt } = operation;
  if (!startedAt) return [];
  const until = updatedAt ?? startedAt;
  const ms = 1_000 * Number(until.seconds - startedAt.seconds) + (until.nanos - startedAt.nanos) / 1e6;
  const seconds = Math.round((Math.max(0, ms) + sinceMs) / 1_000);
  return [`${seconds < 60 ? `${seconds} s` : formatMs(1_000 * seconds)} so far`];
}
