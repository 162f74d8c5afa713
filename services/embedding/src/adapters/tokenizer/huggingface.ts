import { readFile } from "node:fs/promises";
import { Tokenizer } from "@huggingface/tokenizers";
import { KindredError, messageOf } from "@kindred/errors";
import type { LongTexts, TokenizerPort } from "../../domain/tokenization.ts";
import { precompiledNormalizer } from "./precompiled-normalizer.ts";

type Json = Readonly<Record<string, unknown>>;

/** Kinds of tokenizer that are known to give the same ids here as in the original. */
const MODELS = ["WordPiece", "BPE", "Unigram"] as const;
type ModelKind = (typeof MODELS)[number];

function unsupported(path: string, problem: string): KindredError {
  return new KindredError("failed-precondition", `The tokenizer ${path} is not supported: ${problem}`);
}

const asJson = (value: unknown): Json =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};

/** A component of the tokenizer and, where it is a sequence, what it consists of. */
function parts(component: unknown): readonly Json[] {
  const json = asJson(component);
  const inner = json["normalizers"] ?? json["pretokenizers"] ?? json["processors"];
  return Array.isArray(inner) ? inner.flatMap(parts) : [json];
}

/** Files of older versions leave the type out. */
function kindOf(path: string, model: Json): ModelKind {
  const { type, vocab } = model;
  const guess = Array.isArray(vocab) ? "Unigram" : model["merges"] === undefined ? "WordPiece" : "BPE";
  const kind = MODELS.find((known) => known === (type ?? guess));
  if (kind !== undefined) return kind;
  throw unsupported(path, `its type is ${JSON.stringify(type)} (supported: ${MODELS.join(", ")})`);
}

/** The one special token before a text and the one after it, as the post-processor adds them. */
function specialTokens(path: string, postProcessor: unknown): { start: string; end: string } {
  for (const part of parts(postProcessor)) {
    const { type, cls, sep, single } = part;
    if (
      (type === "BertProcessing" || type === "RobertaProcessing") &&
      Array.isArray(cls) &&
      Array.isArray(sep)
    ) {
      return { start: String(cls[0]), end: String(sep[0]) };
    }
    if (type === "TemplateProcessing" && Array.isArray(single)) {
      const ids = single.map((item) => asJson(asJson(item)["SpecialToken"])["id"]);
      if (ids.length === 3 && ids[0] !== undefined && ids[1] === undefined && ids[2] !== undefined) {
        return { start: String(ids[0]), end: String(ids[2]) };
      }
    }
  }
  const { type } = asJson(postProcessor);
  throw unsupported(
    path,
    `its post-processor ${JSON.stringify(type ?? null)} does not put one special token before a text and one after it`,
  );
}

/** Whether it splits as BERT's does, which is what segments are cut for. */
function splitsLikeBert({ normalizer, pre_tokenizer: preTokenizer, model }: Json): boolean {
  const { type, clean_text: clean, handle_chinese_chars: isolates } = asJson(normalizer);
  const { max_input_chars_per_word: longest = 100 } = asJson(model);
  return (
    type === "BertNormalizer" &&
    clean === true &&
    isolates === true &&
    asJson(preTokenizer)["type"] === "BertPreTokenizer" &&
    longest === 100
  );
}

/** Whether any piece of a vocabulary goes beyond one word: then blanks are no place to end a prefix at. */
function hasPiecesAcrossWords(model: Json): boolean {
  const { vocab } = model;
  const pieces = Array.isArray(vocab)
    ? vocab.map((entry) => String((entry as unknown[])[0]))
    : Object.keys(asJson(vocab));
  return pieces.some((piece) => /[^▁]▁|[^ ] /u.test(piece));
}

function longTextsOf(json: Json, kind: ModelKind): LongTexts {
  if (kind === "WordPiece" && splitsLikeBert(json)) return "segments";
  return hasPiecesAcrossWords(asJson(json["model"])) ? "whole" : "prefixes";
}

/** Ideographs beyond the first 65,536 characters, with the original's ranges: the library sets apart only those before. */
const RARE_IDEOGRAPHS =
  /[\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\u{2f800}-\u{2fa1f}]/gu;

/** What the library would do otherwise than the original is done to a text before it. */
function preparation({ normalizer }: Json): (text: string) => string {
  const components = parts(normalizer);
  const bert = components.find(({ type }) => type === "BertNormalizer");
  const lowerCases = bert?.["lowercase"] === true || components.some(({ type }) => type === "Lowercase");
  const isolates = bert?.["handle_chinese_chars"] === true;
  return (text) => {
    // JavaScript lower-cases a sigma by what stands around it; the original looks at single characters only.
    const lowered = lowerCases ? text.replaceAll("Σ", "σ") : text;
    return isolates ? lowered.replace(RARE_IDEOGRAPHS, " $& ") : lowered;
  };
}

/** Puts the real normalisation in the place of the library's stand-in for it, wherever it is. */
function installPrecompiled(normalizer: unknown, config: unknown): void {
  const { type, precompiled_charsmap: table, normalizers } = asJson(config);
  const target = normalizer as { normalize: (text: string) => string; normalizers?: readonly unknown[] };
  if (type === "Precompiled" && typeof table === "string") target.normalize = precompiledNormalizer(table);
  if (!Array.isArray(normalizers)) return;
  for (const [i, inner] of normalizers.entries()) installPrecompiled(target.normalizers?.[i], inner);
}

async function load(path: string): Promise<Json> {
  try {
    return asJson(JSON.parse(await readFile(path, "utf8")));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new KindredError("data-loss", `${path} is not JSON: ${messageOf(error)}`, { cause: error });
  }
}

/**
 * A tokenizer from a tokenizer.json. The truncation and padding that the file asks for are left to the caller:
 * for all-MiniLM-L6-v2 they say 128, where the model is used with 256 and padded to the longest of a batch.
 * @throws KindredError failed-precondition naming what is not supported.
 */
export async function openTokenizer(path: string): Promise<TokenizerPort> {
  const json = await load(path);
  const kind = kindOf(path, asJson(json["model"]));
  const { start, end } = specialTokens(path, json["post_processor"]);
  let tokenizer: Tokenizer;
  try {
    tokenizer = new Tokenizer(json, {});
  } catch (error) {
    throw unsupported(path, messageOf(error));
  }
  installPrecompiled(tokenizer.normalizer, json["normalizer"]);
  const idOf = (token: string): number => {
    const id = tokenizer.token_to_id(token);
    if (id === undefined) throw new KindredError("data-loss", `${path} has no token ${token}`);
    return id;
  };
  const prepare = preparation(json);
  return {
    longTexts: longTextsOf(json, kind),
    startId: idOf(start),
    endId: idOf(end),
    contentIds: (text) => tokenizer.encode(prepare(text), { add_special_tokens: false }).ids,
    token: (id) => {
      const token = tokenizer.id_to_token(id);
      if (token === undefined) throw new RangeError(`${id} is no id of the vocabulary`);
      return token;
    },
  };
}
