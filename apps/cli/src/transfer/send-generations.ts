import { isKindredError, KindredError } from "@kindred/errors";
import { translated, type Clients } from "../clients.ts";
import { placeOf, type Stored } from "../vectors/import-items.ts";
import type { RowBatch } from "../vectors/item-batches.ts";
import { BATCH_TIMEOUT_MS } from "../vectors/run-import.ts";
import type { GenerationRecord } from "./generation-record.ts";
import { inParallel } from "./read-images.ts";

/** Calls that are under way at the same time: each records one generation. */
const CALLS_AT_ONCE = 8;

type Outcome = "inserted" | "skipped" | Stored["rejected"][number];

/**
 * Sends batches; one sender for an import. Sending a batch again adds nothing twice: each generation has its idempotency key; and what
 * was answered before is not sent again. One whose answer was lost counts as skipped when it is sent again and turns out to be there.
 */
export function generationSender(
  clients: Pick<Clients, "generations">,
): (batch: RowBatch<GenerationRecord>, options: SendOptions) => Promise<Stored> {
  const answered = new WeakMap<GenerationRecord, Outcome>();
  return (batch, options) => sendGenerations(clients, batch, answered, options);
}

interface SendOptions {
  /** Generations that the service refuses are left out. */
  skipsBadRows: boolean;
  signal: AbortSignal;
}

/** @throws KindredErrors whose violations name generations by their positions in the batch. */
async function sendGenerations(
  { generations }: Pick<Clients, "generations">,
  { items }: RowBatch<GenerationRecord>,
  answered: WeakMap<GenerationRecord, Outcome>,
  options: SendOptions,
): Promise<Stored> {
  const send = async (record: GenerationRecord, position: number): Promise<Outcome> => {
    try {
      const { existing } = await translated(() =>
        generations.recordGeneration(
          {
            generation: record.fields,
            idempotencyKey: record.idempotencyKey,
            ...(record.createdAt && { createdAt: record.createdAt }),
          },
          { signal: options.signal, timeoutMs: BATCH_TIMEOUT_MS },
        ),
      );
      return existing ? "skipped" : "inserted";
    } catch (error) {
      if (!isAboutRow(error)) throw error;
      const named = atPosition(error, position);
      if (!options.skipsBadRows) throw named;
      const reason = named.violations
        .map(({ field, description }) => `${placeOf(field)?.field} ${description}`)
        .join("; ");
      return { position, reason };
    }
  };
  const outcomes = await inParallel(items, CALLS_AT_ONCE, async (record, position) => {
    const outcome = answered.get(record) ?? (await send(record, position));
    answered.set(record, outcome);
    return outcome;
  });
  return {
    inserted: outcomes.filter((outcome) => outcome === "inserted").length,
    replaced: 0,
    skipped: outcomes.filter((outcome) => outcome === "skipped").length,
    rejected: outcomes.filter((outcome) => typeof outcome === "object"),
  };
}

/** A refusal of what is in the row, or of its key, which was used for something else. */
function isAboutRow(error: unknown): error is KindredError {
  return isKindredError(error) && ["invalid-argument", "already-exists"].includes(error.kind);
}

function atPosition(error: KindredError, position: number): KindredError {
  const violations =
    error.violations.length > 0
      ? error.violations
      : [{ field: "idempotency_key", description: error.message }];
  return new KindredError("invalid-argument", error.message, {
    cause: error,
    violations: violations.map(({ field, description }) => ({
      field: `generations[${position}].${field.replace(/^generation\./, "")}`,
      description,
    })),
  });
}
