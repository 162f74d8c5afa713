import { KindredError } from "@kindred/errors";
import { isPart } from "./globals.ts";
import type { PickleLimits } from "./limits.ts";
import { NumpyArray } from "./numpy-array.ts";
import type { PickleValue } from "./value.ts";

/** What is inside a container; undefined for everything else. */
function childrenOf(value: PickleValue): Iterator<PickleValue> | undefined {
  if (Array.isArray(value) || value instanceof Set) return value.values();
  if (value instanceof Map) return inBoth(value);
  if (value instanceof NumpyArray && value.dtype === "object") return (value.data as PickleValue[]).values();
  return undefined;
}

function* inBoth(map: Map<PickleValue, PickleValue>): Generator<PickleValue> {
  for (const [key, value] of map) {
    yield key;
    yield value;
  }
}

const OPEN = -1;
/** More than there may be; that times the number of values is an exact number still. */
const DEPTHS = 2 ** 16;

interface Open {
  container: object;
  children: Iterator<PickleValue>;
  depth: number;
  values: number;
}

/**
 * Sees to it that whoever walks through the value comes to an end: that it does not contain itself, and is neither too deep nor, with
 * all that stands in several places, too large. Looks into each container once.
 * @throws KindredError data-loss, resource-exhausted
 */
export function checkValue(value: PickleValue, limits: Required<PickleLimits>): void {
  /** What was found out of the containers that were left, in one number for there are many; OPEN while one is. */
  const known = new Map<object, number>();
  const path: Open[] = [];

  const enter = (item: PickleValue, into: { depth: number; values: number } | undefined): void => {
    if (isPart(item))
      throw new KindredError("data-loss", "the pickle has a class or a numpy dtype where data should be");
    if (typeof item !== "object" || item === null) {
      if (into) add(into, 0, 1, limits);
      return;
    }
    const found = known.get(item);
    if (found === OPEN)
      throw new KindredError("data-loss", "the pickle has a container that contains itself");
    if (found !== undefined) {
      if (into) add(into, found % DEPTHS, Math.floor(found / DEPTHS), limits);
      return;
    }
    const children = childrenOf(item);
    if (!children) {
      if (into) add(into, 0, 1, limits);
      return;
    }
    known.set(item, OPEN);
    path.push({ container: item, children, depth: 1, values: 1 });
    if (path.length > limits.depth) throw tooDeep(limits);
  };

  enter(value, undefined);
  for (let open = path.at(-1); open; open = path.at(-1)) {
    const next = open.children.next();
    if (!next.done) {
      enter(next.value, open);
      continue;
    }
    path.pop();
    known.set(open.container, open.depth + DEPTHS * open.values);
    const outer = path.at(-1);
    if (outer) add(outer, open.depth, open.values, limits);
  }
}

function add(
  into: { depth: number; values: number },
  depth: number,
  values: number,
  limits: Required<PickleLimits>,
): void {
  into.depth = Math.max(into.depth, depth + 1);
  into.values += values;
  if (into.depth > limits.depth) throw tooDeep(limits);
  if (into.values > limits.values)
    throw new KindredError("resource-exhausted", `the pickle has more than ${limits.values} values`);
}

function tooDeep({ depth }: Required<PickleLimits>): KindredError {
  return new KindredError(
    "resource-exhausted",
    `the pickle has more than ${depth} containers inside each other`,
  );
}
