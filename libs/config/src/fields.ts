/** One setting: how its text is read, what it defaults to, and what people are told about it. */
export interface Field<T> {
  /** One line for people; unit and range are appended from the fields below. */
  readonly description: string;
  /** As one would write it in the environment; undefined when the setting has to be given. */
  readonly fallback: string | undefined;
  /** What values are allowed, e.g. "1 to 64". */
  readonly expects: string;
  readonly required: boolean;
  /** True when the value must never be printed. */
  readonly secret: boolean;
  /** @throws Error whose message completes "<NAME> …", e.g. "must be 1 to 64, is 0". */
  parse(raw: string): T;
  /** The value when the setting is absent and has no fallback; only for fields that are not required. */
  readonly absent?: T;
}

interface Common {
  description: string;
  secret?: boolean;
}

function field<T>(
  options: Common & { default?: string | undefined },
  expects: string,
  parse: (raw: string) => T,
): Field<T> {
  return {
    description: options.description,
    fallback: options.default,
    expects,
    required: options.default === undefined,
    secret: options.secret ?? false,
    parse,
  };
}

/** The same field, but undefined when the setting is absent. */
export function optional<T>(inner: Field<T>): Field<T | undefined> {
  return { ...inner, fallback: undefined, required: false, absent: undefined };
}

export function text(options: Common & { default?: string; maxLength?: number }): Field<string> {
  const { maxLength = 4096 } = options;
  return field(options, `text of at most ${maxLength} characters`, (raw) => {
    if (raw.length > maxLength) throw new Error(`must be at most ${maxLength} characters, has ${raw.length}`);
    return raw;
  });
}

function ranged(raw: string, value: number, min: number, max: number): number {
  if (!Number.isFinite(value) || value < min || value > max) {
    throw new Error(`must be ${min} to ${max}, is ${JSON.stringify(raw)}`);
  }
  return value;
}

export function integer(
  options: Common & { default?: number; min: number; max: number; unit?: string },
): Field<number> {
  const unit = options.unit === undefined ? "" : ` ${options.unit}`;
  return field(
    { ...options, default: options.default?.toString() },
    `integer, ${options.min} to ${options.max}${unit}`,
    (raw) => {
      if (!/^[+-]?\d+$/.test(raw.trim())) throw new Error(`must be an integer, is ${JSON.stringify(raw)}`);
      return ranged(raw, Number(raw), options.min, options.max);
    },
  );
}

export function number(
  options: Common & { default?: number; min: number; max: number; unit?: string },
): Field<number> {
  const unit = options.unit === undefined ? "" : ` ${options.unit}`;
  return field(
    { ...options, default: options.default?.toString() },
    `number, ${options.min} to ${options.max}${unit}`,
    (raw) => {
      if (raw.trim() === "") throw new Error("must be a number, is empty");
      return ranged(raw, Number(raw), options.min, options.max);
    },
  );
}

const DURATION_UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

function parseDuration(raw: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(raw.trim());
  if (!match) throw new Error(`must be a time span such as 250ms, 10s or 5m, is ${JSON.stringify(raw)}`);
  return Number(match[1]) * (DURATION_UNITS[match[2] ?? "s"] as number);
}

/** A field whose values and bounds are both written with units. */
function measured(
  options: Common & { default?: string; min: string; max: string },
  noun: string,
  parse: (raw: string) => number,
): Field<number> {
  const [min, max] = [parse(options.min), parse(options.max)];
  return field(options, `${noun}, ${options.min} to ${options.max}`, (raw) => {
    const value = parse(raw);
    if (value < min || value > max) {
      throw new Error(`must be ${options.min} to ${options.max}, is ${JSON.stringify(raw)}`);
    }
    return value;
  });
}

/** A time span as milliseconds; written with a unit: 250ms, 10s, 5m, 1h. A bare number is seconds. */
export function duration(options: Common & { default?: string; min: string; max: string }): Field<number> {
  return measured(options, "time span", parseDuration);
}

const BYTE_UNITS: Record<string, number> = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };

function parseBytes(raw: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(B|KiB|MiB|GiB)?$/.exec(raw.trim());
  if (!match) throw new Error(`must be a size such as 4MiB, is ${JSON.stringify(raw)}`);
  return Math.round(Number(match[1]) * (BYTE_UNITS[match[2] ?? "B"] as number));
}

/** A size in whole bytes; written as 4MiB, 64KiB, 6.5GiB, or a bare number of bytes. */
export function bytes(options: Common & { default?: string; min: string; max: string }): Field<number> {
  return measured(options, "size", parseBytes);
}

export function boolean(options: Common & { default?: boolean }): Field<boolean> {
  return field({ ...options, default: options.default?.toString() }, "true or false", (raw) => {
    const value = raw.trim().toLowerCase();
    if (["true", "1", "yes", "on"].includes(value)) return true;
    if (["false", "0", "no", "off"].includes(value)) return false;
    throw new Error(`must be true or false, is ${JSON.stringify(raw)}`);
  });
}

export function choice<const T extends string>(
  options: Common & { default?: NoInfer<T>; choices: readonly T[] },
): Field<T> {
  return field(options, options.choices.join(", "), (raw) => {
    const found = options.choices.find((c) => c === raw.trim());
    if (found === undefined) {
      throw new Error(`must be one of ${options.choices.join(", ")}, is ${JSON.stringify(raw)}`);
    }
    return found;
  });
}

/** A URL with one of the given schemes (without the colon). The value stays text, as it was written. */
export function url(options: Common & { default?: string; schemes: readonly string[] }): Field<string> {
  const expects = `URL with scheme ${options.schemes.join(" or ")}`;
  return field(options, expects, (raw) => {
    const parsed = URL.parse(raw.trim());
    if (!parsed || !options.schemes.includes(parsed.protocol.slice(0, -1))) {
      // The value is not repeated: a URL may carry a password.
      throw new Error(`must be a ${expects}`);
    }
    return raw.trim();
  });
}

/** Several of them, separated by commas; a comma in a password is written %2C. */
export function urls(options: Common & { schemes: readonly string[] }): Field<readonly string[]> {
  const one = url(options);
  return field(options, `${one.expects}, several with commas between them`, (raw) =>
    raw.split(",").map((each) => one.parse(each)),
  );
}
