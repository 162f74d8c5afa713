import { PassThrough } from "node:stream";
import { expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { readLines, Tail } from "./lines.ts";

async function linesOf(chunks: Buffer[]): Promise<string[]> {
  const stream = new PassThrough();
  const lines: string[] = [];
  readLines(stream, (line) => lines.push(line));
  for (const chunk of chunks) stream.write(chunk);
  stream.end();
  await new Promise((resolve) => stream.once("close", resolve));
  return lines;
}

test("lines do not depend on where the stream is cut, not even inside a character", async () => {
  const bytes = Buffer.from("erste Zeile\r\n\nzweite: äöü 🦊\nlast");
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(bytes.length)), async (cuts) => {
      const edges = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
      const chunks = edges.slice(1).map((end, i) => bytes.subarray(edges[i], end));
      expect(await linesOf(chunks)).toEqual(["erste Zeile", "", "zweite: äöü 🦊", "last"]);
    }),
  );
});

test("a line without end is cut", async () => {
  const lines = await linesOf([Buffer.alloc(200_000, "x")]);
  expect(lines.join("").length).toBe(200_000);
  expect(Math.max(...lines.map((line) => line.length))).toBe(65_536);
});

test("the tail keeps the last lines", () => {
  const tail = new Tail(2);
  for (const line of ["a", "b", "c"]) tail.push(line);
  expect(tail.lines).toEqual(["b", "c"]);
});
