import { Priority, type EmbedResponse } from "@kindred/contracts/embedding/v1";
import { isKindredError } from "@kindred/errors";
import { secondsOf, type Contestant } from "./rounds.ts";
import type { RunningEmbedding } from "./service.ts";

const TEXTS_A_CALL = 64;
const CALLS_AT_ONCE = 4;
const TEXTS_A_MESSAGE = 256;

/** The ways in which a client can have many texts embedded; EmbedStream only where the service has it. */
export async function grpcContestants(
  service: RunningEmbedding,
  texts: readonly string[],
): Promise<{ contestants: Contestant[]; missing: string[] }> {
  const timed = (name: string, work: () => Promise<void>): Contestant => ({
    name,
    run: () => secondsOf(work),
  });
  const contestants = [
    timed("gRPC, one call", async () => {
      requireWork(await service.client.embed({ texts: [...texts], priority: Priority.BULK }));
    }),
    timed(`gRPC, ${TEXTS_A_CALL} texts a call, ${CALLS_AT_ONCE} calls at once`, async () => {
      const calls = chunks(texts, TEXTS_A_CALL).values();
      const caller = async () => {
        for (const part of calls) {
          requireWork(await service.client.embed({ texts: part, priority: Priority.BULK }));
        }
      };
      await Promise.all(Array.from({ length: CALLS_AT_ONCE }, caller));
    }),
  ];
  if (!(await hasStream(service)))
    return { contestants, missing: ["EmbedStream: the service does not have it"] };
  const stream = timed(`EmbedStream, ${TEXTS_A_MESSAGE} texts a message`, () => embedStream(service, texts));
  return { contestants: [...contestants, stream], missing: [] };
}

/** @throws Error when a text was answered without running the model: that is not what is measured. */
function requireWork({ cachedTexts }: EmbedResponse): void {
  if (cachedTexts > 0) throw new Error(`${cachedTexts} texts were answered from the cache`);
}

export function chunks<T>(values: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(values.length / size) }, (_, i) =>
    values.slice(i * size, (i + 1) * size),
  );
}

/** @throws Error when the answers are not those of all texts in their order. */
async function embedStream({ client }: RunningEmbedding, texts: readonly string[]): Promise<void> {
  let answered = 0;
  for await (const piece of client.embedStream(messages(texts))) {
    if (piece.firstText !== BigInt(answered))
      throw new Error(`text ${piece.firstText} came after ${answered}`);
    answered += piece.textCount;
  }
  if (answered !== texts.length) throw new Error(`${answered} of ${texts.length} texts were answered`);
}

async function* messages(texts: readonly string[]) {
  for (const [i, part] of chunks(texts, TEXTS_A_MESSAGE).entries()) {
    yield { texts: part, ...(i === 0 ? { options: { priority: Priority.BULK } } : {}) };
  }
}

export async function hasStream(service: RunningEmbedding): Promise<boolean> {
  try {
    await embedStream(service, ["Is there a stream?"]);
    return true;
  } catch (error) {
    if (isKindredError(error) && error.kind === "unimplemented") return false;
    throw error;
  }
}
