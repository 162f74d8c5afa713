// The tokenizer that the service uses (JavaScript) against the native one, and what share of the whole tokenising is.
//   node bench/tokenization.ts [--rounds 5] [--texts FILE] [--limit TEXTS]      the native one: npm install --prefix bench/versus
// See bench/README.md.
import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { Tokenizer } from "@huggingface/tokenizers";
import { Priority } from "@kindred/contracts/embedding/v1";
import { median, percentile } from "./statistics.ts";
import { INSTALL_VERSUS, isInstalled } from "./support/competitors.ts";
import { tokenizerFile } from "./support/model-folder.ts";
import { runRounds, secondsOf, type Contestant } from "./support/rounds.ts";
import { PRECISIONS, startEmbedding, tokenIds, type Precision } from "./support/service.ts";
import { loadTexts } from "./support/texts.ts";

interface NativeTokenizer {
  encode(text: string): Promise<number[]>;
  encodeBatch(texts: readonly string[]): Promise<number[][]>;
}

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    texts: { type: "string" },
    limit: { type: "string" },
  },
});
const rounds = Number(options.rounds);
const { texts, origin } = loadTexts({
  file: options.texts,
  limit: options.limit === undefined ? undefined : Number(options.limit),
});
const MAX_TOKENS = 256;
const BUDGET_S = 120;

async function openNative(path: string): Promise<NativeTokenizer | undefined> {
  if (!isInstalled()) return undefined;
  // No workspace, so its types are not here either.
  const script: string = new URL("versus/native-tokenizer.mjs", import.meta.url).href;
  const { openNativeTokenizer } = (await import(script)) as {
    openNativeTokenizer: (path: string, maxTokens: number) => NativeTokenizer;
  };
  return openNativeTokenizer(path, MAX_TOKENS);
}

/** Number of the first text that has other ids in the two lists, or -1. */
function firstDifference(a: readonly (readonly number[])[], b: readonly (readonly number[])[]): number {
  return a.findIndex((ids, text) => {
    const other = b[text] ?? [];
    return ids.length !== other.length || ids.some((id, i) => id !== other[i]);
  });
}

function requireEqual(
  name: string,
  found: readonly (readonly number[])[],
  expected: readonly (readonly number[])[],
): void {
  const text = firstDifference(found, expected);
  if (text >= 0) throw new Error(`${name} makes other tokens of ${JSON.stringify(texts[text])}`);
}

const path = await tokenizerFile();
const tokenizer = new Tokenizer(JSON.parse(await readFile(path, "utf8")) as object, {});
/** Cut as BERT's texts are: the last token stays [SEP]. */
const inJs = (text: string): number[] => {
  const { ids } = tokenizer.encode(text);
  return ids.length <= MAX_TOKENS ? ids : [...ids.slice(0, MAX_TOKENS - 1), ids.at(-1) as number];
};
const native = await openNative(path);

const ids = texts.map(inJs);
if (native !== undefined) requireEqual("the native tokenizer", await native.encodeBatch(texts), ids);

const contestants: Contestant[] = [
  {
    name: "JavaScript, one after the other",
    run: () =>
      secondsOf(async () => {
        for (const text of texts) inJs(text);
      }),
  },
  ...(native === undefined
    ? []
    : [
        { name: "native, in one batch", run: () => secondsOf(() => native.encodeBatch(texts)) },
        {
          name: "native, one after the other",
          run: () =>
            secondsOf(async () => {
              for (const text of texts) await native.encode(text);
            }),
        },
      ]),
];
const seconds = await runRounds(contestants, { rounds, budgetS: BUDGET_S });

const tokens = ids.reduce((sum, { length }) => sum + length, 0);
console.log(`${origin}, ${tokens} tokens, medians of ${rounds} rounds`);
if (native === undefined) console.log(`the native tokenizer skipped: ${INSTALL_VERSUS}`);
console.table(
  [...seconds].map(([what, times]) => ({
    what,
    "sentences/s": (texts.length / median(times)).toFixed(0),
    "us a text": ((1e6 * median(times)) / texts.length).toFixed(1),
  })),
);

async function oneText(name: string, encode: (text: string) => unknown): Promise<void> {
  const microseconds: number[] = [];
  for (const text of texts) {
    const startedAt = performance.now();
    await encode(text);
    microseconds.push(1000 * (performance.now() - startedAt));
  }
  const [p50, p99] = [0.5, 0.99].map((p) => percentile(microseconds, p).toFixed(1));
  console.log(`one text until it can be used, ${name}: p50 ${p50} us, p99 ${p99} us`);
}
await oneText("JavaScript", inJs);
if (native !== undefined) await oneText("native", native.encode);

/** From the service's own timings of one call with all texts. */
async function share(precision: Precision): Promise<void> {
  await using service = await startEmbedding(precision);
  requireEqual("the service", await tokenIds(service, texts), ids);
  await service.client.embed({ texts, priority: Priority.BULK });
  const shares: { tokenizeMs: number; inferenceMs: number; wallMs: number }[] = [];
  for (let round = 0; round < rounds; round++) {
    const startedAt = performance.now();
    const { timings } = await service.client.embed({ texts, priority: Priority.BULK });
    const wallMs = performance.now() - startedAt;
    if (timings?.tokenize === undefined || timings.inference === undefined) {
      throw new Error("the service gives no timings");
    }
    shares.push({
      tokenizeMs: durationMs(timings.tokenize),
      inferenceMs: durationMs(timings.inference),
      wallMs,
    });
  }
  const of = (value: (sample: (typeof shares)[number]) => number) => median(shares.map(value));
  console.log(
    `${precision}, one call with all texts: tokenising ${of((s) => s.tokenizeMs).toFixed(0)} ms, ` +
      `${of((s) => (100 * s.tokenizeMs) / s.wallMs).toFixed(1)} % of the call's ${of((s) => s.wallMs).toFixed(0)} ms, ` +
      `${of((s) => (100 * s.tokenizeMs) / (s.tokenizeMs + s.inferenceMs)).toFixed(1)} % of the threads' time`,
  );
}
for (const precision of PRECISIONS) await share(precision);
