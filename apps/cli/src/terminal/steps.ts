import { MultiBar, type SingleBar } from "cli-progress";
import type { Terminal } from "./terminal.ts";
import { formatMs } from "./format.ts";

/** One piece of long work while it goes on. */
export interface Step {
  /** What it is at; `done` of `total` where that is known, in any unit; `detail` is what changes all the time. */
  progress(what: string, done?: number, total?: number, detail?: string): void;
}

/** Shows long work on standard error: bars that move in a terminal, a line now and then elsewhere. */
export interface Steps {
  /** Runs one piece of work, next to others. The text that it returns stands in the line that says that it is done. */
  run<T extends { summary: string }>(name: string, work: (step: Step) => Promise<T>): Promise<T>;
  /** A line that is not lost among the bars. */
  note(text: string): void;
}

const NAME_WIDTH = 10;
const BAR_WIDTH = 24;
/** Elsewhere than in a terminal: a line for each of these parts of the work ... */
const PARTS = 4;
/** ... once the work has taken so long that somebody may wonder. */
const QUIET_MS = 2_000;

export function createSteps(terminal: Terminal, quietMs: number = QUIET_MS): Steps {
  return terminal.interactive ? new MovingSteps(terminal) : plainSteps(terminal, quietMs);
}

/** For commands whose output a program reads. */
export const silentSteps: Steps = {
  run: (_name, work) => work({ progress: () => {} }),
  note: () => {},
};

function doneLine({ colors }: Terminal, name: string, summary: string, startedAt: number): string {
  return `${colors.green("✔")} ${name.padEnd(NAME_WIDTH)} ${summary}  ${colors.dim(formatMs(performance.now() - startedAt))}`;
}

function plainSteps(terminal: Terminal, quietMs: number): Steps {
  return {
    note: (text) => terminal.note(text),
    run: async (name, work) => {
      const startedAt = performance.now();
      let last = "";
      let over = false;
      const result = await work({
        progress: (what, done, total, detail) => {
          if (over || performance.now() - startedAt < quietMs) return;
          const part = total ? Math.floor((PARTS * (done ?? 0)) / total) : 0;
          const line = `${what} ${part}`;
          if (line === last) return;
          last = line;
          const percent = total && part > 0 ? ` ${(100 * part) / PARTS} %` : "";
          terminal.note(
            `  ${name.padEnd(NAME_WIDTH)} ${[`${what}${percent}`, detail].filter(Boolean).join(", ")}`,
          );
        },
      });
      over = true;
      terminal.note(doneLine(terminal, name, result.summary, startedAt));
      return result;
    },
  };
}

class MovingSteps implements Steps {
  readonly #terminal: Terminal;
  #bars: MultiBar | undefined;
  #running = 0;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  note(text: string): void {
    if (this.#bars) this.#bars.log(`${text}\n`);
    else this.#terminal.note(text);
  }

  async run<T extends { summary: string }>(name: string, work: (step: Step) => Promise<T>): Promise<T> {
    const startedAt = performance.now();
    this.#bars ??= new MultiBar({
      stream: process.stderr,
      format: (_options, params, payload: { name: string; what: string; known: boolean }) =>
        this.#line(payload, params.progress),
      hideCursor: true,
      fps: 10,
      gracefulExit: false,
      stopOnComplete: false,
      clearOnComplete: true,
      forceRedraw: true,
    });
    this.#running += 1;
    const bar = this.#bars.create(1, 0, { name, what: "", known: false });
    try {
      const result = await work({
        progress: (what, done, total, detail) => {
          bar.setTotal(total ?? 1);
          const text = [what, detail].filter(Boolean).join(", ");
          bar.update(done ?? 0, { what: text, known: total !== undefined });
        },
      });
      this.#end(bar, doneLine(this.#terminal, name, result.summary, startedAt));
      return result;
    } catch (error) {
      this.#end(bar, undefined);
      throw error;
    }
  }

  #end(bar: SingleBar, line: string | undefined): void {
    this.#running -= 1;
    this.#bars?.remove(bar);
    if (this.#running === 0) {
      this.#bars?.stop();
      this.#bars = undefined;
    }
    if (line !== undefined) this.note(line);
  }

  #line({ name, what, known }: { name: string; what: string; known: boolean }, progress: number): string {
    const { colors } = this.#terminal;
    const filled = Math.round(BAR_WIDTH * Math.min(progress, 1));
    const bar = known
      ? `${colors.cyan("━".repeat(filled))}${colors.dim("━".repeat(BAR_WIDTH - filled))} ${String(Math.floor(100 * Math.min(progress, 1))).padStart(3)} % `
      : "";
    return `${colors.cyan("●")} ${name.padEnd(NAME_WIDTH)} ${bar}${what}`;
  }
}
