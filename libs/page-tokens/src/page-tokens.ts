import { createHash } from "node:crypto";
import { invalidField } from "@kindred/errors";
import { canonical } from "./canonical.ts";
import { readPosition, writePosition, type Place, type PositionOf } from "./position.ts";

/**
 * The tokens of one list's pages. A token is opaque to callers, base64url without padding. It holds a position and a sum that binds it to the
 * list and its conditions; it holds nothing secret, and proves nothing: whoever knows this code can make one, of any position.
 */
export interface PageTokens<Position> {
  /**
   * @param conditions what the list is of, and its order where it has several: plain data. Members that are undefined are as good as absent,
   *   and the order of members makes no difference.
   * @param position where the page begins
   * @throws TypeError for conditions that are no plain data, RangeError for an integer of more than 64 bits: faults of the calling code.
   */
  seal(conditions: object, position: Position): string;
  /**
   * @returns where the page begins; undefined for the empty token, which is the first page's
   * @throws KindredError invalid-argument on `page_token` for a token of another list, of other conditions, of an earlier version, and for
   *   what is no token.
   */
  open(conditions: object, token: string): Position | undefined;
}

/** Each list had a form of its own in versions 1 and 2. */
const VERSION = 3;
const SUM_BYTES = 8;

/**
 * @param list.name tells the tokens of this list from those of others, whose conditions may be the same
 * @param list.position what positions consist of
 * @param list.fixed what has to be the same on every page, as the error says it; "filters" when absent
 */
export function pageTokens<const Places extends readonly Place[]>(list: {
  name: string;
  position: Places;
  fixed?: string;
}): PageTokens<PositionOf<Places>> {
  const { name, position: places, fixed = "filters" } = list;
  const sumOf = (conditions: object, content: Uint8Array): Buffer =>
    createHash("sha256")
      .update(canonical([name, conditions]))
      .update(content)
      .digest()
      .subarray(0, SUM_BYTES);

  return {
    seal(conditions, position) {
      const content = Buffer.concat([Buffer.of(VERSION), writePosition(position)]);
      return Buffer.concat([content, sumOf(conditions, content)]).toString("base64url");
    },

    open(conditions, token) {
      if (token === "") return undefined;
      const bytes = Buffer.from(token, "base64url");
      const content = bytes.subarray(0, Math.max(0, bytes.length - SUM_BYTES));
      const genuine =
        // Buffer.from skips what is not base64url.
        bytes.toString("base64url") === token &&
        content[0] === VERSION &&
        bytes.subarray(content.length).equals(sumOf(conditions, content));
      const position = genuine ? readPosition(content.subarray(1), places) : undefined;
      if (!position) {
        throw invalidField(
          "page_token",
          `is not a token of this list: give next_page_token as it was returned, with the same ${fixed}`,
        );
      }
      return position;
    },
  };
}
