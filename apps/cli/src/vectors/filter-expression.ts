import { create } from "@bufbuild/protobuf";
import {
  FieldPathSchema,
  FilterSchema,
  ScalarSchema,
  type FieldPath,
  type Filter,
  type Scalar,
} from "@kindred/contracts/vector-store/v1";
import { FilterSyntaxError, isBareName, tokenize, type Token } from "./filter-tokens.ts";

/** Deeper than the contract allows, and far from the end of the stack. */
const MAX_DEPTH = 100;

const LESS = new Set(["<", "<="]);
const GREATER = new Set([">", ">="]);
const EQUAL = new Set(["=", "=="]);
const UNEQUAL = new Set(["!=", "<>"]);
const MIRRORED: Record<string, string> = { "<": ">", "<=": ">=", ">": "<", ">=": "<=" };

/**
 * Reads a filter that is written like
 *
 *     year >= 1990 and genre in ("jazz", "blues") and not exists(deleted) and 2 <= rating < 5
 *
 * `not` binds more than `and`, and that more than `or`; parentheses are kept as a level of their own. Names of fields are joined
 * by dots and stand in double quotes where they are no plain words. `all(…)` and `any(…)` are `and` and `or` of any number of
 * conditions: `all()` always holds, `any()` never. Words like `and` may be written in capitals.
 * @throws FilterSyntaxError
 */
export function parseFilter(source: string): Filter {
  return new Parser(tokenize(source)).whole();
}

export function parseFieldPath(source: string): FieldPath {
  return new Parser(tokenize(source)).wholePath();
}

type Operator = { text: string; at: number };

/** What stands on one side of an operator: a field, a value, or a text in double quotes, which may be either. */
interface Operand {
  at: number;
  path: readonly string[] | undefined;
  value: Scalar | undefined;
}

class Parser {
  readonly #tokens: readonly Token[];
  #position = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  whole(): Filter {
    if (this.#isAtEnd) throw this.#unexpected("a condition, e.g. year >= 1990");
    const filter = this.#disjunction();
    if (!this.#isAtEnd) throw this.#unexpected('"and", "or" or the end');
    return filter;
  }

  wholePath(): FieldPath {
    const path = this.#path();
    if (!this.#isAtEnd) throw this.#unexpected('"." or the end');
    return path;
  }

  get #next(): Token {
    return this.#tokens[this.#position] as Token;
  }

  get #isAtEnd(): boolean {
    return this.#next.kind === "end";
  }

  #take(): Token {
    return this.#tokens[this.#position++] as Token;
  }

  #unexpected(wanted: string): FilterSyntaxError {
    const { kind, text, at } = this.#next;
    const found = kind === "end" ? "the end" : text;
    return new FilterSyntaxError(`expected ${wanted}, found ${found}`, at);
  }

  #isWord(word: string, token: Token = this.#next): boolean {
    return token.kind === "name" && token.text.toLowerCase() === word;
  }

  #isSymbol(symbol: string, token: Token = this.#next): boolean {
    return token.kind === "symbol" && token.text === symbol;
  }

  #expect(symbol: string): void {
    if (!this.#isSymbol(symbol)) throw this.#unexpected(`"${symbol}"`);
    this.#position += 1;
  }

  #disjunction(): Filter {
    const filters = this.#joined("or", () => this.#joinedAnd());
    return filters.length === 1 ? (filters[0] as Filter) : filterOf({ case: "or", value: { filters } });
  }

  #joinedAnd(): Filter {
    const filters = this.#joined("and", () => this.#negation());
    return filters.length === 1 ? (filters[0] as Filter) : filterOf({ case: "and", value: { filters } });
  }

  #joined(word: string, part: () => Filter): Filter[] {
    const filters = [part()];
    while (this.#isWord(word)) {
      this.#position += 1;
      filters.push(part());
    }
    return filters;
  }

  #negation(): Filter {
    if (!this.#isWord("not")) return this.#deeper(() => this.#primary());
    return this.#deeper(() => {
      this.#position += 1;
      return not(this.#negation());
    });
  }

  #deeper<T>(work: () => T): T {
    if (++this.#depth > MAX_DEPTH)
      throw new FilterSyntaxError("too deep: at most 16 levels are allowed", this.#next.at);
    const result = work();
    this.#depth -= 1;
    return result;
  }

  #primary(): Filter {
    if (this.#isSymbol("(")) {
      this.#position += 1;
      const inner = this.#disjunction();
      this.#expect(")");
      return inner;
    }
    const callee = this.#next;
    const isCall = this.#isSymbol("(", this.#tokens[this.#position + 1]);
    if (isCall && this.#isWord("exists", callee)) {
      this.#position += 2;
      const value = this.#path();
      this.#expect(")");
      return filterOf({ case: "exists", value });
    }
    if (isCall && this.#isWord("all", callee))
      return filterOf({ case: "and", value: { filters: this.#arguments() } });
    if (isCall && this.#isWord("any", callee))
      return filterOf({ case: "or", value: { filters: this.#arguments() } });
    return this.#comparison();
  }

  #arguments(): Filter[] {
    this.#position += 1;
    return this.#list(() => this.#disjunction());
  }

  /** In parentheses, with commas between them. */
  #list<T>(part: () => T): T[] {
    this.#expect("(");
    const parts: T[] = [];
    if (!this.#isSymbol(")")) {
      parts.push(part());
      while (this.#isSymbol(",")) {
        this.#position += 1;
        parts.push(part());
      }
    }
    this.#expect(")");
    return parts;
  }

  #comparison(): Filter {
    const left = this.#operand("a field, a value or a parenthesis");
    const negated = this.#isWord("not");
    if (negated) this.#position += 1;
    if (this.#isWord("in")) {
      this.#position += 1;
      const values = this.#list(() => this.#value());
      const filter = filterOf({ case: "in", value: { field: this.#fieldOf(left), values } });
      return negated ? not(filter) : filter;
    }
    if (negated) throw this.#unexpected('"in" behind "not"');
    if (this.#isWord("contains")) {
      this.#position += 1;
      return filterOf({ case: "contains", value: { field: this.#fieldOf(left), value: this.#value() } });
    }
    if (this.#isSymbol("^=")) {
      this.#position += 1;
      const beginning = this.#take();
      if (beginning.kind !== "quoted")
        throw new FilterSyntaxError(`expected a text behind ^=, e.g. "The"`, beginning.at);
      return filterOf({ case: "prefix", value: { field: this.#fieldOf(left), prefix: beginning.value } });
    }
    const first = this.#operator();
    if (!first) throw this.#unexpected("=, !=, <, <=, >, >=, ^=, in or contains");
    const middle = this.#operand(`a value behind ${first.text}`);
    const second = this.#operator();
    if (!second) return this.#compare(left, first, middle);
    return this.#between(left, first, middle, second, this.#operand(`a value behind ${second.text}`));
  }

  #operator(): Operator | undefined {
    const { kind, text, at } = this.#next;
    const known = EQUAL.has(text) || UNEQUAL.has(text) || text in MIRRORED;
    if (kind !== "symbol" || !known) return undefined;
    this.#position += 1;
    return { text, at };
  }

  /** `year >= 1990`, or the other way round. */
  #compare(left: Operand, { text }: Operator, right: Operand): Filter {
    if (!left.path && !right.path)
      throw new FilterSyntaxError("there is no field in this comparison", left.at);
    const fieldIsLeft = left.path !== undefined && right.value !== undefined;
    // Of two fields it is the second that should be something else.
    const field = this.#fieldOf(fieldIsLeft || !left.value ? left : right);
    const value = this.#valueOf(fieldIsLeft || !left.value ? right : left);
    if (EQUAL.has(text)) return filterOf({ case: "eq", value: { field, value } });
    if (UNEQUAL.has(text)) return not(filterOf({ case: "eq", value: { field, value } }));
    const operator = fieldIsLeft ? text : (MIRRORED[text] as string);
    if (value.value.case === "boolean")
      throw new FilterSyntaxError(
        `${operator} compares numbers or texts, not true and false`,
        fieldIsLeft ? right.at : left.at,
      );
    return filterOf({ case: "range", value: { field, ...boundOf(operator, value) } });
  }

  /** `1990 <= year < 2000`, or the other way round. */
  #between(left: Operand, first: Operator, middle: Operand, second: Operator, right: Operand): Filter {
    const rising = LESS.has(first.text) && LESS.has(second.text);
    const falling = GREATER.has(first.text) && GREATER.has(second.text);
    if (!rising && !falling)
      throw new FilterSyntaxError(
        `${first.text} … ${second.text} is no range: write e.g. 1990 <= year < 2000`,
        second.at,
      );
    const field = this.#fieldOf(middle);
    const [one, other] = [this.#valueOf(left), this.#valueOf(right)];
    if (typeOf(one) !== typeOf(other) || typeOf(one) === "boolean")
      throw new FilterSyntaxError("the bounds of a range are both numbers or both texts", right.at);
    return filterOf({
      case: "range",
      value: { field, ...boundOf(MIRRORED[first.text] as string, one), ...boundOf(second.text, other) },
    });
  }

  #fieldOf({ path, at }: Operand): FieldPath {
    if (!path) throw new FilterSyntaxError("expected a field, not a value", at);
    return create(FieldPathSchema, { segments: [...path] });
  }

  #valueOf({ value, at }: Operand): Scalar {
    if (!value) throw new FilterSyntaxError("expected a value, not a field: texts stand in quotes", at);
    return value;
  }

  #operand(wanted: string): Operand {
    const token = this.#next;
    const { at } = token;
    if (token.kind === "quoted") {
      const isPath = !token.single;
      const leadsIn = this.#isSymbol(".", this.#tokens[this.#position + 1]);
      if (isPath && leadsIn) return { at, path: this.#path().segments, value: undefined };
      this.#position += 1;
      return { at, path: isPath ? [token.value] : undefined, value: textScalar(token.value) };
    }
    if (token.kind === "number" || this.#isWord("true") || this.#isWord("false"))
      return { at, path: undefined, value: this.#value() };
    if (token.kind !== "name") throw this.#unexpected(wanted);
    return { at, path: this.#path().segments, value: undefined };
  }

  #value(): Scalar {
    const token = this.#next;
    if (token.kind === "quoted") {
      this.#position += 1;
      return textScalar(token.value);
    }
    if (token.kind === "number") {
      this.#position += 1;
      const { value } = token;
      const isInteger = typeof value === "bigint";
      return create(ScalarSchema, {
        value: isInteger ? { case: "integer", value } : { case: "number", value },
      });
    }
    if (this.#isWord("true") || this.#isWord("false")) {
      this.#position += 1;
      return create(ScalarSchema, { value: { case: "boolean", value: this.#isWord("true", token) } });
    }
    if (token.kind === "name") throw this.#unexpected("a number, true, false or a text in quotes");
    throw this.#unexpected("a value");
  }

  #path(): FieldPath {
    const segments = [this.#segment()];
    while (this.#isSymbol(".")) {
      this.#position += 1;
      segments.push(this.#segment());
    }
    return create(FieldPathSchema, { segments });
  }

  #segment(): string {
    const token = this.#next;
    if (token.kind === "quoted" && !token.single) {
      if (token.value === "") throw new FilterSyntaxError("the name of a field is not empty", token.at);
      this.#position += 1;
      return token.value;
    }
    if (token.kind !== "name") throw this.#unexpected("the name of a field");
    if (this.#isWord("null"))
      throw new FilterSyntaxError(
        "there is no null to compare with: write exists(field) or not exists(field)",
        token.at,
      );
    if (!isBareName(token.text))
      throw new FilterSyntaxError(
        `expected the name of a field; one that is called ${token.text} stands in double quotes`,
        token.at,
      );
    this.#position += 1;
    return token.text;
  }
}

function filterOf(
  condition: NonNullable<Parameters<typeof create<typeof FilterSchema>>[1]>["condition"],
): Filter {
  return create(FilterSchema, { condition: condition as Filter["condition"] });
}

function not(value: Filter): Filter {
  return filterOf({ case: "not", value });
}

function textScalar(value: string): Scalar {
  return create(ScalarSchema, { value: { case: "text", value } });
}

function typeOf({ value }: Scalar): "text" | "number" | "boolean" | undefined {
  return value.case === "integer" ? "number" : value.case;
}

function boundOf(
  operator: string,
  value: Scalar,
): { gt: Scalar } | { gte: Scalar } | { lt: Scalar } | { lte: Scalar } {
  switch (operator) {
    case ">":
      return { gt: value };
    case ">=":
      return { gte: value };
    case "<":
      return { lt: value };
    default:
      return { lte: value };
  }
}
