import type { MeasuredProgress, Said } from "./operation-claims.ts";
import type { OperationProgress } from "./operation.ts";

export const MAX_NOTES = 100;
export const MAX_NOTE_CHARACTERS = 2000;
const NO_MORE_NOTES = "more came up than is kept here";

/** The rate is that of so long: index builds become slower as they go on. */
const WINDOW_MS = 60_000;
/** Points of that window are so far apart. */
const POINT_EVERY_MS = 2000;

/** What an operation says until it is written down; the last thing said of its progress is the one that counts. */
export class ProgressLog {
  readonly #now: () => number;
  readonly #known: Set<string>;
  #noteCount: number;
  #notes: string[] = [];
  #progress: OperationProgress | undefined;
  #phase: string | undefined;
  /** Where the phase stood when, the oldest first. */
  #points: { at: number; done: number }[] = [];

  /** @param now milliseconds, of a clock that never goes back; @param notes those that are there already */
  constructor(now: () => number, notes: readonly string[]) {
    this.#now = now;
    this.#known = new Set(notes);
    this.#noteCount = notes.length;
  }

  /** Whether there is something to write down. */
  get pending(): boolean {
    return this.#progress !== undefined || this.#notes.length > 0;
  }

  report(progress: OperationProgress): void {
    const sane = {
      ...progress,
      phase: shortened(progress.phase),
      unit: shortened(progress.unit),
      done: count(progress.done),
      total: count(progress.total),
    };
    const phase = `${sane.phaseNumber} ${sane.phase}`;
    const at = this.#now();
    const last = this.#points.at(-1);
    if (phase !== this.#phase || (last && sane.done < last.done)) this.#points = [];
    this.#phase = phase;
    if (this.#points.length === 0 || at - (this.#points.at(-1)?.at ?? 0) >= POINT_EVERY_MS) {
      this.#points.push({ at, done: sane.done });
    }
    while (this.#points.length > 2 && at - (this.#points[0]?.at ?? at) > WINDOW_MS) this.#points.shift();
    this.#progress = sane;
  }

  /** What was said already, before a crash for example, is not said again. */
  note(text: string): void {
    const short = shortened(text);
    if (this.#known.has(short) || this.#noteCount >= MAX_NOTES) return;
    this.#noteCount++;
    const kept = this.#noteCount === MAX_NOTES ? NO_MORE_NOTES : short;
    this.#known.add(kept);
    this.#notes.push(kept);
  }

  /** What is to be written down now. Give it back with `unsaid` when that failed. */
  take(): Said {
    const said = { progress: this.#progress && this.#measured(this.#progress), notes: this.#notes };
    this.#progress = undefined;
    this.#notes = [];
    return said;
  }

  /** What was said meanwhile is newer. */
  unsaid({ progress, notes }: Said): void {
    this.#progress ??= progress;
    this.#notes = [...notes, ...this.#notes];
  }

  #measured(progress: OperationProgress): MeasuredProgress {
    const from = this.#points[0] ?? { at: this.#now(), done: progress.done };
    return { ...progress, measuredMs: Math.max(0, this.#now() - from.at), measuredFromDone: from.done };
  }
}

function count(value: number): number {
  return Number.isFinite(value) ? Math.min(Number.MAX_SAFE_INTEGER, Math.max(0, Math.round(value))) : 0;
}

function shortened(text: string): string {
  return text.length <= MAX_NOTE_CHARACTERS ? text : `${text.slice(0, MAX_NOTE_CHARACTERS - 1)}…`;
}
