import { isInteger, Temporal } from "./value.ts";

// Layouts as in CPython's Lib/_pydatetime.py, `_getstate` of each class.

const two = (value: number): string => String(value).padStart(2, "0");
/** Set in the month of a datetime, or the hour of a time, for the second of two equal clock readings (PEP 495). */
const FOLD = 0x80;

/** Of the two bytes of the year, month and day; undefined where there is no such day. */
export function dateOf(state: Uint8Array): string | undefined {
  if (state.length !== 4) return undefined;
  const [high = 0, low = 0, month = 0, day = 0] = state;
  return dateText(256 * high + low, month, day);
}

export function dateTimeOf(state: Uint8Array, offset: string): string | undefined {
  if (state.length !== 10) return undefined;
  const date = dateOf(Uint8Array.of(state[0] ?? 0, state[1] ?? 0, (state[2] ?? 0) & ~FOLD, state[3] ?? 0));
  const time = timeOf(state.subarray(4), "");
  return date === undefined || time === undefined ? undefined : `${date}T${time}${offset}`;
}

export function timeOf(state: Uint8Array, offset: string): string | undefined {
  if (state.length !== 6) return undefined;
  const [hourAndFold = 0, minute = 0, second = 0, ...micros] = state;
  const hour = hourAndFold & ~FOLD;
  const microsecond = micros.reduce((sum, byte) => 256 * sum + byte, 0);
  if (hour > 23 || minute > 59 || second > 59 || microsecond > 999_999) return undefined;
  const fraction = microsecond === 0 ? "" : `.${String(microsecond).padStart(6, "0")}`;
  return `${two(hour)}:${two(minute)}:${two(second)}${fraction}${offset}`;
}

export function timedeltaOf(
  days: unknown,
  seconds: unknown = 0,
  microseconds: unknown = 0,
): Temporal | undefined {
  if (!isInteger(days) || !isInteger(seconds) || !isInteger(microseconds)) return undefined;
  // Python keeps 0 <= seconds < 86,400 and 0 <= microseconds < 1,000,000.
  if (seconds < 0 || seconds >= 86_400 || microseconds < 0 || microseconds >= 1_000_000) return undefined;
  if (days < -999_999_999 || days > 999_999_999) return undefined;
  const fraction = microseconds === 0 ? "" : `.${String(microseconds).padStart(6, "0")}`;
  return new Temporal("timedelta", `P${days}DT${seconds}${fraction}S`);
}

/** "+02:00" of a timedelta's text; undefined where it is no offset of less than a day. */
export function offsetOf(delta: Temporal): string | undefined {
  const [, days, seconds] = /^P(-1|0)DT(\d+)S$/.exec(delta.text) ?? [];
  if (days === undefined) return undefined;
  const total = 86_400 * Number(days) + Number(seconds);
  const size = Math.abs(total);
  const rest = size % 60 === 0 ? "" : `:${two(size % 60)}`;
  return `${total < 0 ? "-" : "+"}${two(Math.floor(size / 3_600))}:${two(Math.floor(size / 60) % 60)}${rest}`;
}

function dateText(year: number, month: number, day: number): string | undefined {
  if (year < 1 || year > 9_999 || month < 1 || month > 12 || day < 1) return undefined;
  const last = new Date(0);
  last.setUTCFullYear(year, month, 0);
  if (day > last.getUTCDate()) return undefined;
  return `${String(year).padStart(4, "0")}-${two(month)}-${two(day)}`;
}

/** Ticks of each unit in a second, or days in a unit. */
const UNITS_PER_SECOND: Record<string, bigint> = {
  s: 1n,
  ms: 1_000n,
  us: 1_000_000n,
  ns: 1_000_000_000n,
  ps: 10n ** 12n,
  fs: 10n ** 15n,
  as: 10n ** 18n,
};
const SECONDS_PER_UNIT: Record<string, bigint> = { m: 60n, h: 3_600n, D: 86_400n, W: 604_800n };

/** numpy's datetime64: `value` counts `unit`s since 1970. A year beyond 9999 is written as its count. */
export function dateTime64Of(value: bigint, unit: string): Temporal {
  const months = unit === "Y" ? 12n * value : unit === "M" ? value : undefined;
  if (months !== undefined) {
    const year = 1970n + floorDiv(months, 12n);
    const month = months - 12n * floorDiv(months, 12n) + 1n;
    const text = year >= 1n && year <= 9_999n ? dateText(Number(year), Number(month), 1) : undefined;
    return new Temporal("datetime64", text ?? `${value} ${unit}`);
  }
  const perSecond = UNITS_PER_SECOND[unit] ?? 1n;
  const ticks = value * (SECONDS_PER_UNIT[unit] ?? 1n);
  const seconds = floorDiv(ticks, perSecond);
  const rest = ticks - seconds * perSecond;
  const ms = Number(seconds) * 1_000;
  if (seconds < -62_135_596_800n || seconds > 253_402_300_799n)
    return new Temporal("datetime64", `${value} ${unit}`);
  const text = new Date(ms).toISOString().slice(0, 19);
  const digits = String(perSecond).length - 1;
  const fraction = rest === 0n ? "" : `.${String(rest).padStart(digits, "0")}`;
  return new Temporal("datetime64", unit === "D" || unit === "W" ? text.slice(0, 10) : `${text}${fraction}`);
}

export function isDateTimeUnit(unit: string): boolean {
  return unit === "Y" || unit === "M" || unit in UNITS_PER_SECOND || unit in SECONDS_PER_UNIT;
}

function floorDiv(value: bigint, by: bigint): bigint {
  const quotient = value / by;
  return value % by < 0n ? quotient - 1n : quotient;
}
