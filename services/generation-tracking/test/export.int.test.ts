import { fromJson, toJson, type JsonObject } from "@bufbuild/protobuf";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import {
  ExportFormat,
  GenerationSchema,
  GenerationStatus,
  OutputState,
  type Generation,
} from "@kindred/contracts/generation-tracking/v1";
import { openParquetFile } from "@kindred/parquet";
import { temporaryFolder } from "@kindred/testing";
import type { Fixture } from "./fixture.ts";
import { useFixture } from "./use-fixture.ts";

const fixture = useFixture();

async function exported(
  request: Parameters<Fixture["client"]["exportGenerations"]>[0],
): Promise<{ bytes: Buffer; rows: number; parts: number }> {
  const pieces: Uint8Array[] = [];
  let [rows, isComplete] = [0n, false];
  for await (const part of fixture.client.exportGenerations(request)) {
    expect(isComplete).toBe(false);
    expect(part.data.length).toBeLessThanOrEqual(2 ** 20);
    expect(part.rows).toBeGreaterThanOrEqual(rows);
    pieces.push(part.data);
    ({ rows, last: isComplete } = part);
  }
  expect(isComplete).toBe(true);
  return { bytes: Buffer.concat(pieces), rows: Number(rows), parts: pieces.length };
}

const NASTY = 'a "red" kite,\r\nover\tthe sea; =1+1 \u{1F3A8} é';

async function recordNasty(): Promise<Generation> {
  const { generation } = await fixture.client.recordGeneration({
    generation: {
      prompt: NASTY,
      augmentedPrompt: "a kite, like: a boat",
      negativePrompt: "blurry",
      seed: -(2n ** 63n),
      numInferenceSteps: 0,
      guidanceScale: 0.1,
      generationTimeMs: 12,
      memoryUsageMb: 1.5,
      modelConfig: { name: "sdxl", nested: { list: [1, null, "a,b"] } },
      status: GenerationStatus.FAILED,
      errorMessage: "out\nof memory",
      sampler: "euler",
      width: 512,
      height: 768,
      modelHash: "abc",
      batchId: "b",
      sessionId: "s",
      labels: ["x", 'y"z'],
      rating: 4,
      retrievedExamples: [
        { imageId: 2n ** 62n, imagePath: "p.png", caption: "c", similarity: 0.25, rank: 3 },
      ],
      retrieval: {
        query: "kite",
        k: 1,
        threshold: 0.5,
        spaceId: "space",
        method: "hnsw",
        indexName: "i",
        efSearch: 40,
      },
      outputs: [
        {
          path: "out/1.png",
          sizeBytes: 2n ** 60n,
          sha256: new Uint8Array(32).fill(7),
          state: OutputState.KEPT,
        },
      ],
    },
    createdAt: { seconds: 1_750_000_000n, nanos: 123_456_000 },
  });
  if (!generation) throw new Error("nothing was recorded");
  return generation;
}

/** RFC 4180, read strictly. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [[]];
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/gy;
  for (let match = field.exec(text); match; match = field.exec(text)) {
    rows.at(-1)?.push(match[1] === undefined ? (match[2] ?? "") : match[1].replaceAll('""', '"'));
    if (match[3] === "\r\n") rows.push([]);
    if (field.lastIndex === text.length) break;
  }
  expect(rows.pop()).toEqual([]);
  return rows;
}

describe("exports", () => {
  test("JSON lines are the contract's JSON, with a key of their own", async () => {
    const nasty = await recordNasty();
    const { generation: plain } = await fixture.client.recordGeneration({ generation: { prompt: "plain" } });
    const { bytes, rows } = await exported({ format: ExportFormat.JSONL });
    const lines = bytes.toString().trimEnd().split("\n");
    expect([rows, lines.length]).toEqual([2, 2]);
    const read = lines.map((text) => {
      const { idempotency_key: key, ...members } = JSON.parse(text) as JsonObject;
      expect(key).toMatch(/^export-[0-9a-f]{32}$/);
      return toJson(GenerationSchema, fromJson(GenerationSchema, members));
    });
    expect(read).toEqual(
      [plain as Generation, nasty].map((generation) => toJson(GenerationSchema, generation)),
    );
  });

  test("CSV has a header, a line each, and texts as they are", async () => {
    const nasty = await recordNasty();
    const { bytes } = await exported({ format: ExportFormat.CSV });
    const [header = [], ...lines] = parseCsv(bytes.toString());
    const row = Object.fromEntries(header.map((name, i) => [name, lines[0]?.[i]]));
    expect(lines).toHaveLength(1);
    expect(row).toMatchObject({
      id: String(nasty.id),
      created_at: "2025-06-15T15:06:40.123456Z",
      status: "GENERATION_STATUS_FAILED",
      prompt: NASTY,
      seed: "-9223372036854775808",
      num_inference_steps: "0",
      guidance_scale: "0.1",
      error_message: "out\nof memory",
      model_name: "sdxl",
      parent_id: "",
    });
    expect(JSON.parse(row["model_config"] ?? "")).toEqual(nasty.modelConfig);
    expect(JSON.parse(row["labels"] ?? "")).toEqual(["x", 'y"z']);
  });

  test("Parquet has the same columns, typed", async () => {
    const nasty = await recordNasty();
    await fixture.client.recordGeneration({ generation: { prompt: "plain" } });
    await using folder = await temporaryFolder();
    const path = join(folder.path, "generations.parquet");
    await writeFile(path, (await exported({ format: ExportFormat.PARQUET })).bytes);
    await using file = await openParquetFile(path);
    const [batch] = await Array.fromAsync(file.batches());
    const value = (column: string, row: number): unknown => batch?.columns[column]?.[row];
    expect(file.rows).toBe(2);
    expect([value("prompt", 0), value("seed", 0), value("model_config", 0)]).toEqual(["plain", null, null]);
    expect([value("id", 1), value("prompt", 1), value("seed", 1)]).toEqual([nasty.id, NASTY, -(2n ** 63n)]);
    expect(value("guidance_scale", 1)).toBe(0.1);
    expect(value("created_at", 1)).toEqual(new Date("2025-06-15T15:06:40.123Z"));
    expect(value("model_config", 1)).toEqual(nasty.modelConfig);
  });

  test.each([ExportFormat.JSONL, ExportFormat.CSV, ExportFormat.PARQUET])(
    "of nothing are files too: format %i",
    async (format) => {
      const { bytes, rows } = await exported({ format });
      expect(rows).toBe(0);
      expect(bytes.toString("latin1")).toMatch(
        { 1: /^$/, 2: /^id,idempotency_key,.*\r\n$/, 3: /^PAR1[^]*PAR1$/ }[format as 1],
      );
    },
  );

  test("have what matches, newest first, in parts that messages hold", async () => {
    await fixture.db.query(
      `INSERT INTO generations (prompt, status, created_at)
       SELECT repeat('kite ', 500) || i, CASE WHEN i % 2 = 0 THEN 'failed' ELSE 'completed' END, now() - i * INTERVAL '1 second'
         FROM generate_series(1, 3000) i`,
    );
    const { bytes, rows, parts } = await exported({ filter: { status: [GenerationStatus.FAILED] } });
    const numbers = bytes
      .toString()
      .trimEnd()
      .split("\n")
      .map((line) => Number((JSON.parse(line) as { prompt: string }).prompt.split(" ").at(-1)));
    expect(rows).toBe(1_500);
    expect(parts).toBeGreaterThan(3);
    expect(numbers).toEqual(Array.from({ length: 1_500 }, (_, i) => 2 * (i + 1)));
  });

  test("are of the moment at which they began", async () => {
    await fixture.db.query("INSERT INTO generations (prompt) SELECT 'old' FROM generate_series(1, 2000)");
    if (!fixture.db.capabilities.concurrentSessions) {
      process.stdout.write("not run: this server keeps no snapshot beside other work\n");
      return;
    }
    let text = "";
    let isFirst = true;
    for await (const { data } of fixture.client.exportGenerations({})) {
      if (isFirst) await fixture.db.query("UPDATE generations SET prompt = 'new'");
      if (isFirst)
        await fixture.db.query("INSERT INTO generations (prompt) SELECT 'new' FROM generate_series(1, 10)");
      isFirst = false;
      text += Buffer.from(data).toString();
    }
    expect(text.match(/"prompt":"old"/g)).toHaveLength(2_000);
    expect(text).not.toContain('"new"');
  });

  test("leave connections to others: one too many is told to come later, and finds room when one is over", async () => {
    await fixture.db.query(
      "INSERT INTO generations (prompt) SELECT repeat('x', 3000) FROM generate_series(1, 1500)",
    );
    const leaving = new AbortController();
    const slow = Array.from({ length: 5 }, () =>
      fixture.client.exportGenerations({}, { signal: leaving.signal })[Symbol.asyncIterator](),
    );
    await Promise.all(slow.map((each) => each.next()));
    await expect(exported({})).rejects.toMatchObject({ kind: "resource-exhausted", retryAfterMs: 5000 });
    expect((await fixture.client.countGenerations({})).count).toBe(1_500n);
    leaving.abort();
    await Promise.allSettled(slow.map((each) => each.next()));
    expect((await exported({})).rows).toBe(1_500);
  });

  test("that nobody reads to the end give their connection back", async () => {
    await fixture.db.query(
      "INSERT INTO generations (prompt) SELECT repeat('x', 3000) FROM generate_series(1, 1500)",
    );
    // More than there are connections.
    for (let i = 0; i < 35; i++) {
      const leaving = new AbortController();
      const reading = async (): Promise<void> => {
        for await (const part of fixture.client.exportGenerations({}, { signal: leaving.signal })) {
          expect(part.last).toBe(false);
          leaving.abort();
        }
      };
      await expect(reading()).rejects.toMatchObject({ kind: "cancelled" });
    }
    expect((await fixture.client.countGenerations({})).count).toBe(1_500n);
  });
});
