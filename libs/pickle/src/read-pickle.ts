import { KindredError } from "@kindred/errors";
import { ByteSource } from "./byte-source.ts";
import { checkValue } from "./check-value.ts";
import { isPart, type StackItem } from "./globals.ts";
import { DEFAULT_LIMITS, type PickleLimits } from "./limits.ts";
import { Machine } from "./machine.ts";
import { OPCODES } from "./opcodes.ts";
import type { PickleValue } from "./value.ts";

const STOP = 0x2e;

/**
 * Reads a pickle of any protocol, 0 to 5, without ever executing anything: it knows how plain containers, strings, numbers, numpy
 * arrays and scalars, and datetime's classes are written, and makes values of its own of them. Whatever else the pickle names is
 * refused at the name, before anything is made of it. Time and memory are bounded by the length of the input.
 * @param bytes one whole pickle; the value shares no memory with it
 * @throws KindredError failed-precondition for a name that is refused (its position and what to do are in the message),
 *   data-loss for what is no pickle, or a broken one, resource-exhausted beyond a limit
 */
export function readPickle(bytes: Uint8Array, limits: PickleLimits = {}): PickleValue {
  const source = new ByteSource(bytes);
  const machine = new Machine(source);
  for (;;) {
    const position = source.position;
    const code = source.uint8();
    if (code === STOP) return ended(machine.result(position), source, { ...DEFAULT_LIMITS, ...limits });
    const run = OPCODES[code];
    if (!run) {
      const what = position === 0 ? "this is not a pickle" : "the pickle is damaged";
      throw new KindredError(
        "data-loss",
        `${what}: there is no opcode 0x${code.toString(16).padStart(2, "0")}, at byte ${position}`,
      );
    }
    machine.position = position;
    run(machine, source);
  }
}

function ended(value: StackItem, source: ByteSource, limits: Required<PickleLimits>): PickleValue {
  if (source.left > 0) {
    throw new KindredError(
      "data-loss",
      `the pickle ends at byte ${source.position}, and ${source.left} bytes follow; a file with several pickles is not read`,
    );
  }
  if (isPart(value))
    throw new KindredError("data-loss", "the pickle is a class or a numpy dtype, and no data");
  checkValue(value, limits);
  return value;
}
