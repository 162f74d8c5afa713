import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createClient } from "@connectrpc/connect";
import { ImageService } from "@kindred/contracts/vector-store/v1";
import { pictures, writeGallery } from "@kindred/gallery";
import { openChannel } from "@kindred/rpc";
import { startStack, type Stack } from "@kindred/testing";

// What the README tells people to type does what it says: its code blocks are run as they stand, but for the ports.

const root = fileURLToPath(new URL("../..", import.meta.url));
const blocksOf = (text: string) =>
  [...text.matchAll(/^```(sh|ts)\n([\s\S]*?)^```$/gm)].map(([, language, code]) => ({
    language,
    code: code as string,
  }));
const readme = readFileSync(join(root, "README.md"), "utf8");
const section = readme.slice(readme.indexOf("## A first search"), readme.indexOf("## What is in it"));
const blocks = blocksOf(section);
const vectorStoreBlocks = blocksOf(readFileSync(join(root, "services/vector-store/README.md"), "utf8"));

let stack: Stack;
let folder: string;

beforeAll(async () => {
  stack = await startStack({ origin: true });
  folder = mkdtempSync(join(tmpdir(), "kindred-readme-"));
  const coco = {
    images: [{ id: 1, file_name: "1.jpg", width: 640, height: 480 }],
    annotations: [{ id: 7, image_id: 1, caption: "A red kite in a windy sky." }],
  };
  writeFileSync(join(folder, "captions_val2017.json"), JSON.stringify(coco));
  await writeGallery(stack.mediaRoot);
  execFileSync("cp", [join(stack.mediaRoot, pictures[0]?.path as string), join(folder, "photo.jpg")]);
  await using channel = openChannel({ address: stack.addresses["vector-store"] as string });
  await createClient(ImageService, channel.transport).batchAddImages(
    (async function* () {
      yield {
        images: pictures.map(({ path, caption }) => ({ image: { imagePath: path, description: caption } })),
      };
    })(),
    { timeoutMs: 120_000 },
  );
}, 180_000);

afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await stack?.[Symbol.asyncDispose]();
});

function here(code: string): string {
  return code
    .replaceAll("http://127.0.0.1:8080", stack.originUrl as string)
    .replaceAll("127.0.0.1:50052", stack.addresses["vector-store"] as string)
    .replaceAll("npx kindred", join(root, "node_modules/.bin/kindred"));
}

async function run(command: string, args: string[], cwd: string): Promise<string> {
  const env = { ...process.env, KINDRED_URL: stack.originUrl as string, NO_COLOR: "1" };
  return (await promisify(execFile)(command, args, { cwd, env })).stdout;
}

const shell = (code: string): Promise<string> => run("bash", ["-euo", "pipefail", "-c", here(code)], folder);
const blockWith = (words: string): string => {
  const found = blocks.find(({ code }) => code.includes(words));
  if (found === undefined) throw new Error(`the README has no block with ${words}`);
  return found.code;
};

test("there are the blocks that are tested here, and no others", () => {
  expect(blocks.map(({ language }) => language)).toEqual(["sh", "sh", "ts", "sh", "sh", "sh", "sh"]);
});

test("the command line", async () => {
  const output = await shell(blockWith("npx kindred import"));
  expect(output).toMatch(/gallery\/pets\/[a-z-]+\.png/);
  expect(output).toMatch(/A red kite|1 image|images added/i);
  expect(output).toMatch(/cosine to 1 [^]*0\.\d{4} .*a kitten taking a nap$/m);
  expect(output).toMatch(/^ all-MiniLM-L6-v2 \(default\) .*ready/m);
  // The gallery, the photo and COCO's picture.
  expect(output).toContain(String(pictures.length + 2));
}, 60_000);

test("a collection of one's own", async () => {
  const output = await shell(blockWith("collections create lyrics"));
  expect(output).toMatch(/^ 1 .* 1 +a slow song about rain /m);
  expect(output).toMatch(/2 hits .* documents: fts/);
  expect(output).toMatch(/PostgreSQL's plan[^]*Limit/);
}, 60_000);

test("the Node client", async () => {
  const file = join(root, "e2e", `readme-${process.pid}.ts`);
  writeFileSync(file, here(blockWith("openChannel")));
  try {
    const output = await run(process.execPath, [file], root);
    expect(output).toMatch(/^0\.\d{3} gallery\/pets\//);
    expect(output).toMatch(/method 1, space local:sentence-transformers\/all-MiniLM-L6-v2@/);
  } finally {
    rmSync(file);
  }
});

test("curl", async () => {
  const reply = JSON.parse(await shell(blockWith("SearchService/Search \\"))) as {
    hits: unknown[];
    plan: { method: string };
  };
  expect(reply.hits).toHaveLength(3);
  expect(reply.plan.method).toBe("SEARCH_METHOD_EXACT");
});

test("OpenAI's API", async () => {
  const reply = JSON.parse(await shell(blockWith("/v1/embeddings"))) as {
    model: string;
    data: { embedding: number[] }[];
  };
  expect(reply.model).toBe("all-MiniLM-L6-v2");
  expect(reply.data.map(({ embedding }) => embedding.length)).toEqual([384]);
});

async function hasGrpcurl(): Promise<boolean> {
  try {
    await promisify(execFile)("grpcurl", ["-version"]);
    return true;
  } catch {
    process.stderr.write("not run: grpcurl's commands of the README; it is not on PATH\n");
    return false;
  }
}

test("grpcurl", async () => {
  if (!(await hasGrpcurl())) return;
  const output = await shell(blockWith("grpcurl -plaintext"));
  expect(output).toContain("kindred.vector_store.v1.SearchService");
  expect(output).toContain("gallery/pets/");
  expect(output).toContain('"status": "SERVING"');
});

test("what the vector store's README shows of collections", async () => {
  const [create, ingest, filter, hybrid] = vectorStoreBlocks.map(({ code }) => code);
  expect(vectorStoreBlocks).toHaveLength(4);
  const keysOf = (reply: string): string[] =>
    (JSON.parse(reply) as { hits: { key: string }[] }).hits.map(({ key }) => key);

  const created = await shell(create as string);
  expect(created).toContain('{"inserted":"3"}');
  const found = created.slice(created.indexOf('{"hits"'));
  expect(keysOf(found)).toEqual(["rain", "sun"]);
  const { hits } = JSON.parse(found) as { hits: { similarity: number }[] };
  expect(hits.map(({ similarity }) => similarity.toFixed(3))).toEqual(["0.356", "0.253"]);

  expect(keysOf(await shell(filter as string))).toEqual(["rain", "sea"]);

  if (!(await hasGrpcurl())) return;
  expect((await shell(ingest as string)).replaceAll(/\s/g, "")).toBe(
    '{"sequence":"1","inserted":"1","skipped":"1"}{"sequence":"2","inserted":"1"}',
  );
  const joined = await shell(hybrid as string);
  expect(keysOf(joined)).toEqual(["sea", "sun", "snow"]);
  const { hits: ranked } = JSON.parse(joined) as { hits: { textRank?: number; fusedScore: number }[] };
  expect(ranked.map(({ textRank }) => textRank !== undefined)).toEqual([true, true, false]);
}, 60_000);

// The last one: from here on there is an index, which searches of the tests before do without.
test("recall that is asked for", async () => {
  const output = await shell(blockWith("recall measure images"));
  expect(output).toMatch(/^ collection +images, 1,000,000 rows\n index +\w/m);
  expect(output).toMatch(/^ recall@10 +[01](\.\d+)?, [\d.]+ to [\d.]+ at 95 % confidence$/m);
  expect(output).toMatch(/┼.* target$/m);
  expect(output).toMatch(/ 3 hits · (HNSW index \w+, .* expected \(target 0\.99\)|exact)/);
  expect(output).toMatch(/^ +1 +index build +images +done /m);
}, 300_000);
