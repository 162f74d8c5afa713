import { readFile } from "node:fs/promises";
import { extname } from "node:path";
import { messageOf } from "@kindred/errors";
import { InvalidArgumentError } from "commander";
import { EXIT } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { unreadable } from "../file-error.ts";
import { openNpy } from "./npy-file.ts";
import { packFloats, parseVector, type PackedVector } from "./vector-text.ts";

/** Parser of --vector for commander. */
export function vectorOption(raw: string): PackedVector {
  try {
    return parseVector(raw);
  } catch (error) {
    throw new InvalidArgumentError(`${messageOf(error)} A vector is e.g. 0.1,0.2,-0.3, or 10110 for bits.`);
  }
}

/** The one vector of a file: .npy with one row, or else a text as --vector has it. @throws Failure */
export async function readVectorFile(path: string): Promise<PackedVector> {
  if (extname(path).toLowerCase() === ".npy") {
    await using matrix = await openNpy(path);
    if (matrix.rows !== 1) {
      throw new Failure(`${path} has ${matrix.rows} rows; one vector is needed.`, { exitCode: EXIT.data });
    }
    const bytes = await matrix.read(0, 1);
    return { ...packFloats([]), data: bytes, dimensions: matrix.columns };
  }
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    throw unreadable(path, error);
  }
  try {
    return parseVector(text);
  } catch (error) {
    throw new Failure(`${path} is no vector: ${messageOf(error)}`, {
      exitCode: EXIT.data,
      remedy: "A .npy file with one row, or a text such as [0.1, 0.2, -0.3]",
      cause: error,
    });
  }
}
