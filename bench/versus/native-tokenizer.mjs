// The native tokenizers package, behind the two calls that tokenization.ts measures.
import { Tokenizer } from "tokenizers";

/** @param {string} path of a tokenizer.json @param {number} maxTokens special tokens included */
export function openNativeTokenizer(path, maxTokens) {
  const tokenizer = Tokenizer.fromFile(path);
  tokenizer.setTruncation(maxTokens);
  tokenizer.disablePadding();
  return {
    /** @param {string} text @returns {Promise<number[]>} */
    encode: async (text) => (await tokenizer.encode(text)).getIds(),
    /** @param {string[]} texts @returns {Promise<number[][]>} */
    encodeBatch: async (texts) => (await tokenizer.encodeBatch(texts)).map((encoding) => encoding.getIds()),
  };
}
