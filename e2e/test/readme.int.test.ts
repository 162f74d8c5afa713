import { execFile, execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createClient } from "@connectrpc/connect";
import { ImageService } from "@kindred/contracts/vector-store/v1";
import { pictures, writeGallery } from "@kindred/gallery";
import { openChannel } from "@kindred/rpc";
import { faissIndexFile, pickleFile, startStack, type Stack } from "@kindred/testing";
import { Client } from "pg";

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
    .replaceAll("postgresql://me@db.example/music", stack.database?.url as string)
    .replaceAll("npx kindred", join(root, "node_modules/.bin/kindred"));
}

async function run(command: string, args: string[], cwd: string): Promise<string> {
  const env = {
    ...process.env,
    KINDRED_URL: stack.originUrl as string,
    KINDRED_HOME: join(folder, "home"),
    NO_COLOR: "1",
  };
  return (await promisify(execFile)(command, args, { cwd, env })).stdout;
}

const shell = (code: string): Promise<string> => run("bash", ["-euo", "pipefail", "-c", here(code)], folder);
const blockWith = (words: string): string => {
  const found = blocks.find(({ code }) => code.includes(words));
  if (found === undefined) throw new Error(`the README has no block with ${words}`);
  return found.code;
};

test("there are the blocks that are tested here, and no others", () => {
  const languages = ["sh", "sh", "ts", "sh", "sh", "sh", "sh", "sh", "sh", "sh"];
  expect(blocks.map(({ language }) => language)).toEqual(languages);
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

test("what was made, and from what", async () => {
  const output = await shell(blockWith("generations lineage"));
  expect(output).toMatch(/^ labels +oil$/m);
  expect(output).toMatch(/^ +2 .* a dog on a sofa, in oil$/m);
  expect(output).toMatch(/^ made from 5 examples for "a dog on a sofa", k 5, exact$/m);
  expect(output).toMatch(/^ 100 % of 5 examples of then are retrieved today /m);
  expect(output).toMatch(/^ 2 completed; /m);
  expect(output).toMatch(/^ written generations\.parquet \(2 generations, /m);
  expect(output).toMatch(/^ would go +0 of 2 generations$/m);
  expect(output).toMatch(/^ generation-tracking \S+\n cpu /m);
}, 60_000);

test("files in bulk", async () => {
  const captions = pictures.slice(0, 5).map(({ caption }) => caption);
  mkdirSync(join(folder, "photos"));
  copyFileSync(join(folder, "photo.jpg"), join(folder, "photos", "cat.jpg"));
  writeFileSync(join(folder, "photos", "cat.txt"), "A cat on a chair.\nA cat that waits.\n");
  const reply = await fetch(`${stack.originUrl}/v1/embeddings`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ input: captions }),
  });
  const { data } = (await reply.json()) as { data: { embedding: number[] }[] };
  const set = join(folder, "faiss_datasets", "drawings");
  mkdirSync(set, { recursive: true });
  const vectors = data.map(({ embedding }) => embedding);
  writeFileSync(join(set, "faiss_index.bin"), faissIndexFile({ dimensions: 384, vectors }));
  const records = captions.map((description, i) => ({ image_path: `drawings/${i}.png`, description }));
  writeFileSync(join(set, "metadata.pkl"), pickleFile(records));

  const output = await shell(blockWith("import dir photos"));
  expect(output).toMatch(/^ 1 image and 2 embeddings added /m);
  // The gallery, the photo, COCO's picture, and the one that was just imported.
  expect(output).toMatch(new RegExp(`${pictures.length + 3} images`));
  expect(output).toMatch(/drawings[^]*nothing was written/);
}, 60_000);

test("songs", async () => {
  const database = new Client({ connectionString: stack.database?.url as string });
  await database.connect();
  await database.query("CREATE TABLE songs (id integer PRIMARY KEY, name text, artist text, lyrics text)");
  await database.query(
    `INSERT INTO songs VALUES (1, 'Road', 'A', 'The rain falls on the empty road, and I walk alone.'),
       (2, 'Sun', 'B', 'Dance with me in the summer sun.'), (3, 'Silence', 'C', NULL)`,
  );
  await database.end();
  // The vector store's README has one of this name.
  await shell("npx kindred collections delete songs --yes");
  const output = await shell(blockWith("songs upload"));
  expect(output).toMatch(/^ 2 songs in 1 file, .*, ids 1 to 2, in /m);
  expect(output).toMatch(/^ 2 inserted, 0 replaced, 0 skipped; songs has 2 rows$/m);
  expect(output).toMatch(/^ 1 +0\.\d+ +1\b/m);
}, 180_000);

// The last one: from here on there is an index, which searches of the tests before do without.
test("recall that is asked for", async () => {
  const output = await shell(blockWith("recall measure images"));
  expect(output).toMatch(/^ collection +images, 1,000,000 rows\n index +\w/m);
  expect(output).toMatch(/^ recall@10 +[01](\.\d+)?, [\d.]+ to [\d.]+ at 95 % confidence$/m);
  expect(output).toMatch(/┼.* target$/m);
  expect(output).toMatch(/ 3 hits · (HNSW index \w+, .* expected \(target 0\.99\)|exact)/);
  expect(output).toMatch(/^ +\d+ +index build +images +done /m);
}, 300_000);
