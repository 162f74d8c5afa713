import type { FieldChecks } from "@kindred/rpc";
import { MAX_COMPONENT_CHARACTERS } from "./read-samples.ts";

const MAX_COMPONENTS = 1000;

/** Names to filter by, each once; empty for all. The empty name is that of samples that were written without one. */
export function readComponents(components: readonly string[], checks: FieldChecks): string[] {
  if (components.length > MAX_COMPONENTS)
    checks.add("components", `must be at most ${MAX_COMPONENTS}, are ${components.length}`);
  for (const [i, component] of components.slice(0, MAX_COMPONENTS).entries())
    checks.text(`components[${i}]`, component, { maxCharacters: MAX_COMPONENT_CHARACTERS });
  return [...new Set(components)];
}
