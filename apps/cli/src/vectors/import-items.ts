import { isKindredError, KindredError } from "@kindred/errors";
import { delayBefore, isPassing } from "@kindred/rpc";
import { Patience, type PatienceDeps } from "../patience.ts";
import type { BadRow, RowBatch } from "./item-batches.ts";
import type { ItemRow } from "./item-line.ts";
import type { Position } from "./item-source.ts";

/** What storing one batch did. */
export interface Stored {
  inserted: number;
  replaced: number;
  skipped: number;
  /** Positions among the items of the batch, from 0. */
  rejected: readonly { position: number; reason: string }[];
}

export interface ImportTotals {
  inserted: number;
  replaced: number;
  skipped: number;
  rejected: number;
  /** The first of them. */
  rejectedRows: BadRow[];
}

export interface ImportDeps<Item = ItemRow> extends PatienceDeps {
  /** Stores the items of one batch; what has been stored may be sent again. Throws KindredErrors. */
  send: (batch: RowBatch<Item>, signal: AbortSignal) => Promise<Stored>;
  /** Everything up to there is stored. */
  onStored: (position: Position, totals: ImportTotals) => Promise<void>;
}

export interface ImportOptions {
  /** Whether a key that is there already is an error. */
  refusesExisting: boolean;
  /** Whether bad rows are left out. */
  skipsBadRows: boolean;
  /** Gives up when no batch was stored for so long. */
  patienceMs: number;
  /** Ends it behind the batch that is under way, which has so long for that. */
  signal: AbortSignal;
  graceMs: number;
}

/** Bad rows that are kept to be shown. */
const KEPT_ROWS = 100;

/** Rows of the file that are refused: the message names them by their lines. */
export class BadRowsError extends Error {
  override readonly name = "BadRowsError";
  readonly rows: readonly BadRow[];

  constructor(rows: readonly BadRow[], options?: { cause: unknown }) {
    super(rows.map(({ line, reason }) => `${line}: ${reason}`).join("; "), options);
    this.rows = rows;
  }
}

/** A batch of which nobody knows whether it was stored: an answer was lost, and then its keys were there. */
export class UnclearBatchError extends Error {
  override readonly name = "UnclearBatchError";
  readonly firstLine: number;
  readonly lastLine: number;

  constructor({ lines }: Pick<RowBatch, "lines">, cause: unknown) {
    super("it is not known whether the batch was stored", { cause });
    this.firstLine = lines[0] ?? 0;
    this.lastLine = lines.at(-1) ?? 0;
  }
}

/**
 * Stores batches one after the other, in their order, so that of a key that comes twice the later one stays, and that everything
 * before the end of a batch is stored when that is. The next batch is read meanwhile. A batch whose call fails for a reason that
 * passes is sent again.
 * @throws BadRowsError, UnclearBatchError, the signal's reason, and what `send` failed with.
 */
export async function importItems<Item>(
  batches: AsyncGenerator<RowBatch<Item>>,
  deps: ImportDeps<Item>,
  options: ImportOptions,
): Promise<ImportTotals> {
  const totals: ImportTotals = { inserted: 0, replaced: 0, skipped: 0, rejected: 0, rejectedRows: [] };
  const patience = new Patience(deps, options.patienceMs);
  using grace = graceAfter(options.signal, options.graceMs);
  let upcoming = batches.next();
  try {
    for (;;) {
      const next = await upcoming;
      options.signal.throwIfAborted();
      if (next.done) return totals;
      const batch = next.value;
      upcoming = batches.next();
      // It is awaited when its turn comes, which a failure before it may prevent.
      upcoming.catch(() => undefined);
      if (batch.bad.length > 0 && !options.skipsBadRows) throw new BadRowsError(batch.bad);
      const stored =
        batch.items.length === 0
          ? NOTHING
          : await sendPatiently(batch, deps, patience, options, grace.signal);
      add(totals, stored, batch);
      await deps.onStored(batch.end, totals);
    }
  } finally {
    await upcoming.catch(() => undefined);
    await batches.return(undefined);
  }
}

const NOTHING: Stored = { inserted: 0, replaced: 0, skipped: 0, rejected: [] };

async function sendPatiently<Item>(
  batch: RowBatch<Item>,
  deps: ImportDeps<Item>,
  patience: Patience,
  options: ImportOptions,
  grace: AbortSignal,
): Promise<Stored> {
  // Whether an earlier attempt may have been stored without our hearing of it.
  let mayBeStored = false;
  for (let attempt = 0; ; attempt++) {
    try {
      const stored = await deps.send(batch, grace);
      patience.renew();
      return stored;
    } catch (error) {
      const kind = isKindredError(error) ? error.kind : undefined;
      if (kind === "already-exists" && mayBeStored && options.refusesExisting)
        throw new UnclearBatchError(batch, error);
      if (kind === "invalid-argument") throw inLines(error as KindredError, batch);
      // A full queue refuses a call before anything is done.
      mayBeStored ||= kind !== "resource-exhausted";
      if (options.signal.aborted || !isPassing(error) || patience.isOver(error)) throw error;
      await deps.sleep(delayBefore(attempt, error), options.signal);
    }
  }
}

/** The rows that the service names by their positions in the batch; the error itself when it names none. */
function inLines(error: KindredError, { lines }: Pick<RowBatch, "lines">): Error {
  const rows = error.violations.flatMap(({ field, description }): BadRow[] => {
    const place = placeOf(field);
    const line = place && lines[place.position];
    return line === undefined ? [] : [{ line, reason: `${place?.field} ${description}` }];
  });
  return rows.length > 0 ? new BadRowsError(rows, { cause: error }) : error;
}

/**
 * Which row of a batch a field belongs to, and its name there: "items.keys[3]" and "images[3].image.width" are of the fourth one.
 * undefined for fields of no row.
 */
export function placeOf(field: string): { position: number; field: string } | undefined {
  const column = /^items\.(\w+)\[(\d+)\](.*)$/.exec(field);
  if (column) return { position: Number(column[2]), field: `${column[1]}${column[3]}` };
  const row = /^(?:images|generations)\[(\d+)\]\.(?:image\.)?(.+)$/.exec(field);
  return row ? { position: Number(row[1]), field: row[2] as string } : undefined;
}

function add(totals: ImportTotals, stored: Stored, { bad, lines }: Pick<RowBatch, "bad" | "lines">): void {
  totals.inserted += stored.inserted;
  totals.replaced += stored.replaced;
  totals.skipped += stored.skipped;
  totals.rejected += stored.rejected.length + bad.length;
  const refused = stored.rejected.map(({ position, reason }) => ({ line: lines[position] ?? 0, reason }));
  const rows = [...bad, ...refused].toSorted((one, other) => one.line - other.line);
  totals.rejectedRows.push(...rows.slice(0, KEPT_ROWS - totals.rejectedRows.length));
}

/** A signal that is aborted some time after another one. */
function graceAfter(signal: AbortSignal, ms: number): { signal: AbortSignal } & Disposable {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const begin = (): void => {
    timer = setTimeout(() => controller.abort(signal.reason), ms);
  };
  if (signal.aborted) begin();
  else signal.addEventListener("abort", begin, { once: true });
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      signal.removeEventListener("abort", begin);
      clearTimeout(timer);
    },
  };
}
