import { duration } from "@kindred/config";
import { messageOf } from "@kindred/errors";
import { InvalidArgumentError } from "commander";

/** Parsers of option values for commander; what they throw completes "option '…' argument '…' is invalid." */
export function integerOption(min: number, max: number): (raw: string) => number {
  return (raw) => {
    const value = Number(raw);
    if (!/^-?\d+$/.test(raw.trim()) || value < min || value > max)
      throw new InvalidArgumentError(`It must be an integer from ${min} to ${max}.`);
    return value;
  };
}

export function numberOption(min: number, max: number): (raw: string) => number {
  return (raw) => {
    const value = Number(raw);
    if (raw.trim() === "" || !Number.isFinite(value) || value < min || value > max)
      throw new InvalidArgumentError(`It must be a number from ${min} to ${max}.`);
    return value;
  };
}

/** A time span such as 500ms, 30s or 5m, in milliseconds. */
export function durationOption(min: string, max: string): (raw: string) => number {
  const { parse } = duration({ description: "", min, max });
  return (raw) => {
    try {
      return parse(raw);
    } catch (error) {
      throw new InvalidArgumentError(`It ${messageOf(error)}.`);
    }
  };
}

/** Collects the values of an option that may be given several times. */
export function repeatable(raw: string, earlier: readonly string[] = []): readonly string[] {
  return [...earlier, raw];
}

export function jsonOption(raw: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(raw);
  } catch {
    throw new InvalidArgumentError("It must be JSON.");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new InvalidArgumentError("It must be a JSON object.");
  return value as Record<string, unknown>;
}

/** A date, or a time in ISO 8601. */
export function dateOption(raw: string): Date {
  const date = new Date(raw);
  if (Number.isNaN(date.getTime())) throw new InvalidArgumentError("It must be a date or an ISO 8601 time.");
  return date;
}

export const MAX_INT32 = 2 ** 31 - 1;
