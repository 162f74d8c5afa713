import { createClient, type Transport } from "@connectrpc/connect";
import {
  BadRowPolicy,
  CollectionService,
  ConflictPolicy,
  SearchService,
  VectorService,
} from "@kindred/contracts/vector-store/v1";
import { isKindredError, KindredError } from "@kindred/errors";
import { callOptions } from "@kindred/rpc";
import type { Prompt, PromptCollection, RefusedPrompt } from "../../domain/prompts/prompt-collection.ts";

/** Metadata of an item: the generation as text, since JSON numbers are exact to 53 bits only, and when it was recorded. */
const ID_FIELD = "generation_id";
const TIME_FIELD = "created_at";
const UNAVAILABLE_RETRY_MS = 1000;

/** The vector store's collection of prompts behind its contracts. The transport stays the caller's. @param name the collection's */
export function promptCollection(transport: Transport, name: string): PromptCollection {
  const collections = createClient(CollectionService, transport);
  const vectors = createClient(VectorService, transport);
  const search = createClient(SearchService, transport);
  return {
    async create(limits) {
      try {
        // Words in prompts are searched where the generations are: no second index of them.
        await collections.createCollection(
          { name, servedSpace: true, textSearchConfig: "" },
          callOptions(limits),
        );
      } catch (error) {
        if (!isKindredError(error) || error.kind !== "already-exists") throw error;
      }
    },

    async store(prompts, limits) {
      const { rejected } = await vectors.upsert(
        {
          collection: name,
          items: {
            keys: prompts.map(({ generationId }) => String(generationId)),
            texts: prompts.map(({ text }) => text),
            metadata: prompts.map(metadataOf),
          },
          badRows: BadRowPolicy.SKIP_ROW,
          onConflict: ConflictPolicy.REPLACE,
        },
        callOptions(limits),
      );
      return rejected.map(({ key, reason }): RefusedPrompt => ({ generationId: BigInt(key), reason }));
    },

    async remove(generationIds, limits) {
      const keys = generationIds.map(String);
      await vectors.deleteItems(
        { collection: name, which: { case: "keys", value: { keys } } },
        callOptions(limits),
      );
    },

    async nearest({ text, k, offset, threshold, among }, limits) {
      const { hits } = await explained(() =>
        search.search(
          {
            query: { case: "text", value: text },
            collection: name,
            k,
            offset,
            projection: { omitMetadata: true, omitDocument: true },
            ...(threshold !== undefined && { threshold }),
            ...(among && { where: anyOf(among), exact: true }),
          },
          callOptions(limits),
        ),
      );
      // Items with other keys are somebody else's.
      return hits.flatMap(({ key, similarity }) =>
        isId(key) ? [{ generationId: BigInt(key), similarity }] : [],
      );
    },
  };
}

function isId(key: string): boolean {
  return /^-?\d{1,19}$/.test(key) && BigInt.asIntN(64, BigInt(key)) === BigInt(key);
}

function metadataOf({ generationId, createdAtMicros: micros }: Prompt): Record<string, string> {
  return {
    [ID_FIELD]: String(generationId),
    ...(micros !== undefined && { [TIME_FIELD]: timeText(micros) }),
  };
}

/** RFC 3339, to the microsecond. */
function timeText(micros: bigint): string {
  const rest = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const seconds = new Date(Number((micros - rest) / 1000n)).toISOString().replace(/\.000Z$/, "");
  return `${seconds}.${String(rest).padStart(6, "0")}Z`;
}

function anyOf(generationIds: readonly bigint[]) {
  const values = generationIds.map((id) => ({ value: { case: "text" as const, value: String(id) } }));
  return { condition: { case: "in" as const, value: { field: { segments: [ID_FIELD] }, values } } };
}

/** Errors of the vector store in the words of this service's callers. */
async function explained<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (!isKindredError(error) || error.kind !== "unavailable") throw error;
    throw new KindredError("unavailable", `prompts cannot be searched: ${error.message}`, {
      cause: error,
      retryAfterMs: error.retryAfterMs ?? UNAVAILABLE_RETRY_MS,
    });
  }
}
