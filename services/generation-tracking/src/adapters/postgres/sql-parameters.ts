/** The parameters of one statement, in the order in which they are named. */
export interface SqlParameters {
  readonly values: unknown[];
  /** Adds a value. @returns its name in the statement, e.g. "$3" */
  add(value: unknown): string;
}

export function sqlParameters(): SqlParameters {
  const values: unknown[] = [];
  return {
    values,
    add(value) {
      values.push(value);
      return `$${values.length}`;
    },
  };
}

/** An instant as PostgreSQL reads it, exact to the microsecond: a product with an interval would go through double precision. */
export function instantText(micros: bigint): string {
  const rest = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const seconds = new Date(Number((micros - rest) / 1_000n))
    .toISOString()
    .replace(/\.000Z$/, "")
    // A year of five digits has a sign in ISO 8601, and none in PostgreSQL.
    .replace(/^\+0*/, "");
  return `${seconds}.${String(rest).padStart(6, "0")}Z`;
}

/** LIKE's own characters stand for themselves. */
export function escapeLike(text: string): string {
  return text.replace(/[\\%_]/g, (character) => `\\${character}`);
}
