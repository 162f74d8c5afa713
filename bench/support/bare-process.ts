// The bare loop as a contestant: node support/bare-process.ts SETUP.json      see contestant-process.ts
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { packVectors } from "@kindred/rpc";
import { startBareLoop, type BareLoopOptions } from "./bare-loop.ts";

const options = JSON.parse(readFileSync(process.argv[2] as string, "utf8")) as BareLoopOptions;
const say = (reply: object): void => void process.stdout.write(`${JSON.stringify(reply)}\n`);

await using loop = await startBareLoop(options);
say({ ready: { workers: options.workers } });
for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line) as { run?: string; vectors?: number };
  if (request.vectors === undefined) {
    say({ seconds: await loop.run() });
  } else {
    const rows = (await loop.vectors()).slice(0, request.vectors);
    const dimensions = rows[0]?.length ?? 0;
    const packed = new Float32Array(rows.length * dimensions);
    for (const [row, vector] of rows.entries()) packed.set(vector, row * dimensions);
    say({ vectors: Buffer.from(packVectors(packed)).toString("base64"), dimensions });
  }
}
