import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import { FilterSchema, type FieldPath, type Filter } from "@kindred/contracts/vector-store/v1";
import { messageOf } from "@kindred/errors";
import { EXIT } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { parseFieldPath, parseFilter } from "./filter-expression.ts";
import { FilterSyntaxError } from "./filter-tokens.ts";

/** The two ways to write a filter on the command line. */
export interface FilterOptions {
  where?: string;
  whereJson?: string;
}

export const FILTER_HELP = `
FILTER is written like
  year >= 1990 and genre in ("jazz", "blues") and not exists(deleted)
  1990 <= year < 2000 or tags contains "live" and title ^= "The"      ^= : begins with
  artist."home town" = 'Detroit' and genre not in ("rock") and live = true
Names of fields are joined by dots; in double quotes they may be anything. Texts stand in double or single quotes. "not" binds more than
"and", that more than "or". A condition on a field that is missing, or of another type, does not hold; so genre != "rock" finds items without
a genre, too. all() holds for every item. --where-json takes the Filter message of filter.proto as JSON.`;

/** The filter that the options name; undefined when they name none. @throws Failure that points at the mistake. */
export function filterOf({ where, whereJson }: FilterOptions): Filter | undefined {
  if (where !== undefined && whereJson !== undefined) {
    throw new Failure("Give --where or --where-json, not both.", { exitCode: EXIT.usage });
  }
  if (where !== undefined) return pointing("--where", where, parseFilter);
  if (whereJson === undefined) return undefined;
  try {
    return fromJson(FilterSchema, JSON.parse(whereJson) as JsonValue);
  } catch (error) {
    throw new Failure(`--where-json is no filter: ${messageOf(error)}`, {
      exitCode: EXIT.usage,
      remedy: `e.g. '{"eq": {"field": {"segments": ["year"]}, "value": {"number": 1990}}}'`,
      cause: error,
    });
  }
}

/** @param option where it was given, e.g. "--group-by" */
export function fieldPathOf(option: string, raw: string): FieldPath {
  return pointing(option, raw, parseFieldPath);
}

function pointing<T>(option: string, source: string, parse: (source: string) => T): T {
  try {
    return parse(source);
  } catch (error) {
    if (!(error instanceof FilterSyntaxError)) throw error;
    // As many characters as there are before the mistake, in one line.
    const shown = source.replace(/\s/g, " ");
    const before = Array.from(shown.slice(0, error.at)).length;
    throw new Failure(`${option}, column ${before + 1}: ${error.message}`, {
      exitCode: EXIT.usage,
      remedy: `${shown}\n  ${" ".repeat(before)}^`,
      cause: error,
    });
  }
}
