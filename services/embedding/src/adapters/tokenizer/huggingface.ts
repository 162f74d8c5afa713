import { readFile } from "node:fs/promises";
import { Tokenizer } from "@huggingface/tokenizers";
import { KindredError } from "@kindred/errors";
import type { TokenizerPort } from "../../domain/tokenization.ts";

/**
 * A BERT tokenizer from a tokenizer.json. The truncation and padding that the file asks for are left to the caller:
 * for all-MiniLM-L6-v2 they say 128, where the model is used with 256 and padded to the longest of a batch.
 */
export async function openTokenizer(path: string): Promise<TokenizerPort> {
  const tokenizer = new Tokenizer(JSON.parse(await readFile(path, "utf8")) as object, {});
  const idOf = (token: string): number => {
    const id = tokenizer.token_to_id(token);
    if (id === undefined) throw new KindredError("data-loss", `${path} has no token ${token}`);
    return id;
  };
  return {
    startId: idOf("[CLS]"),
    endId: idOf("[SEP]"),
    // JavaScript lower-cases a sigma by what stands around it; the original tokenizer looks at single characters only.
    contentIds: (text) => tokenizer.encode(text.replaceAll("Σ", "σ"), { add_special_tokens: false }).ids,
    token: (id) => {
      const token = tokenizer.id_to_token(id);
      if (token === undefined) throw new RangeError(`${id} is no id of the vocabulary`);
      return token;
    },
  };
}
