import type { OperationContext } from "../operations/operation.ts";
import type { StepContext } from "./index-ports.ts";

/** The phases of an operation, in their order; what is done in each reports under its name. */
export function phasesOf(context: OperationContext, names: readonly string[]): (name: string) => StepContext {
  return (name) => {
    const at = { phaseNumber: names.indexOf(name) + 1, phaseCount: names.length };
    context.signal.throwIfAborted();
    context.report({ ...at, phase: name, done: 0, total: 0, unit: "" });
    return {
      signal: context.signal,
      note: (text) => context.note(text),
      report: ({ detail, ...progress }) =>
        context.report({ ...at, phase: `${name}: ${detail}`, ...progress }),
    };
  };
}
