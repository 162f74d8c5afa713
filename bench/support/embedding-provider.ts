// A fast provider that speaks OpenAI's embeddings protocol: node support/embedding-provider.ts '{"dimensions":384}'
// Prints {"baseUrl": …} when it listens; ends with its standard input. Vectors follow from the texts.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { clusteredVectors } from "./clustered-vectors.ts";

interface Request {
  input: string | string[];
  encoding_format?: "float" | "base64";
}

const { dimensions } = JSON.parse(process.argv[2] as string) as { dimensions: number };
const CENTRES = 4_096;
/** How far a text's vector is from the one that it begins with. */
const NOISE = 0.5;
const centres = clusteredVectors({ dimensions, clusters: 300 }).next(CENTRES).vectors;
/** Two to four bytes of UTF-8 a token, as tokenizers make of lyrics. */
const BYTES_A_TOKEN = 4;

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** One of the centres and some noise, scaled to length 1: no two texts have the same, and neighbours are there to be found. */
function vectorOf(text: string): Float32Array {
  let state = hashOf(text) || 1;
  const start = (state % CENTRES) * dimensions;
  const vector = centres.slice(start, start + dimensions);
  const scale = NOISE / Math.sqrt(dimensions) / 2 ** 31;
  let squares = 0;
  for (let i = 0; i < dimensions; i += 1) {
    // Marsaglia (2003), xorshift32.
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    const value = (vector[i] as number) + state * scale;
    vector[i] = value;
    squares += value * value;
  }
  const norm = 1 / Math.sqrt(squares);
  for (let i = 0; i < dimensions; i += 1) vector[i] = (vector[i] as number) * norm;
  return vector;
}

const server = createServer((request, response) => {
  void (async () => {
    const { input, encoding_format: encoding } = (await json(request)) as Request;
    const texts = typeof input === "string" ? [input] : input;
    const data = texts.map((text, index) => {
      const vector = vectorOf(text);
      const embedding = encoding === "base64" ? Buffer.from(vector.buffer).toString("base64") : [...vector];
      return { object: "embedding", index, embedding };
    });
    const tokens = texts.reduce((sum, text) => sum + Math.ceil(text.length / BYTES_A_TOKEN), 0);
    const usage = { prompt_tokens: tokens, total_tokens: tokens };
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ object: "list", data, model: "bench", usage }));
  })();
});
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo;
  console.log(JSON.stringify({ baseUrl: `http://127.0.0.1:${port}/v1` }));
});
process.stdin.resume().on("end", () => {
  server.close();
  server.closeAllConnections();
});
