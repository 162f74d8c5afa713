/** Reads the fields of a JSON file that somebody else wrote, and collects what is wrong with them: all of it, not the first. */
export class JsonFields {
  readonly #file: string;
  readonly #object: Readonly<Record<string, unknown>>;
  readonly #problems: string[];

  /** @param problems hears what is wrong, a line each. */
  constructor(file: string, json: unknown, problems: string[]) {
    this.#file = file;
    this.#problems = problems;
    const isObject = typeof json === "object" && json !== null && !Array.isArray(json);
    this.#object = isObject ? (json as Record<string, unknown>) : {};
    if (!isObject) this.problem(json === undefined ? "it is missing" : "it is not a JSON object");
  }

  problem(description: string): void {
    this.#problems.push(`${this.#file}: ${description}`);
  }

  value(name: string): unknown {
    return Object.hasOwn(this.#object, name) ? this.#object[name] : undefined;
  }

  /** Says that the field's value is none of the supported ones. */
  unsupported(name: string, supported: readonly unknown[]): void {
    const value = this.value(name);
    const found = value === undefined ? `no ${name}` : `${name} ${JSON.stringify(value)}`;
    this.problem(`${found} (supported: ${supported.map((one) => String(one)).join(", ")})`);
  }

  /** The field may be absent; a value has to be one of these. */
  onlyIf(name: string, supported: readonly unknown[]): void {
    const value = this.value(name);
    if (value !== undefined && value !== null && !supported.includes(value))
      this.unsupported(name, supported);
  }

  /** An integer from `least` to `most`. Where it is not, that is a problem, and `least` (at least 1) stands in. */
  integer(name: string, least: number, most: number, absent?: number): number {
    const value = this.value(name) ?? absent;
    if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most)
      return value as number;
    this.problem(`${name} is ${JSON.stringify(value)}, expected an integer from ${least} to ${most}`);
    return Math.max(1, least);
  }

  count(name: string, most: number): number {
    return this.integer(name, 1, most);
  }

  optionalCount(name: string): number | undefined {
    const value = this.value(name);
    return value === undefined || value === null ? undefined : this.integer(name, 1, Number.MAX_SAFE_INTEGER);
  }

  /** A number above 0. */
  positive(name: string, absent: number): number {
    const value = this.value(name) ?? absent;
    if (typeof value === "number" && value > 0 && Number.isFinite(value)) return value;
    this.problem(`${name} is ${JSON.stringify(value)}, expected a number above 0`);
    return absent;
  }
}
