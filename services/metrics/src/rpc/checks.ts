import type { FieldViolation } from "@kindred/errors";

const MAX_COMPONENT_CHARACTERS = 50;

/** Checks of one field each; they add to `violations` and return nothing. */
export interface Checks {
  readonly violations: readonly FieldViolation[];
  add(field: string, description: string): void;
  /** A component's name; characters are code points, as VARCHAR counts them. */
  component(field: string, value: string): void;
  /** Finite, and not negative. */
  notNegative(field: string, value: number | undefined): void;
}

export function startChecks(): Checks {
  const violations: FieldViolation[] = [];
  const add = (field: string, description: string): void => {
    violations.push({ field, description });
  };
  return {
    violations,
    add,
    component(field, value) {
      // PostgreSQL keeps no NUL in a text.
      if (value.includes("\0")) add(field, "must not contain NUL characters");
      const characters = value.length <= MAX_COMPONENT_CHARACTERS ? value.length : Array.from(value).length;
      if (characters > MAX_COMPONENT_CHARACTERS) {
        add(field, `must be at most ${MAX_COMPONENT_CHARACTERS} characters, has ${characters}`);
      }
    },
    notNegative(field, value) {
      if (value === undefined) return;
      if (!Number.isFinite(value)) add(field, `must be a finite number, is ${value}`);
      else if (value < 0) add(field, `must not be negative, is ${value}`);
    },
  };
}
