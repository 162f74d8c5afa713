import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createParquetFile,
  openParquetFile,
  type ParquetColumn,
  type ParquetWriterOptions,
} from "@kindred/parquet";

export interface TestFolder extends AsyncDisposable {
  path: string;
  file: (name: string) => string;
}

export async function testFolder(): Promise<TestFolder> {
  const path = await mkdtemp(join(tmpdir(), "kindred-parquet-"));
  return {
    path,
    file: (name) => join(path, name),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}

export async function writeRows(
  path: string,
  columns: readonly ParquetColumn[],
  data: Readonly<Record<string, readonly unknown[]>>,
  { batch = Infinity, ...options }: Partial<ParquetWriterOptions> & { batch?: number } = {},
): Promise<{ rows: number; bytes: number; rowGroups: number }> {
  const rows = Object.values(data)[0]?.length ?? 0;
  await using writer = await createParquetFile(path, { columns, ...options });
  for (let from = 0; from < rows; from += batch) {
    const to = Math.min(rows, from + batch);
    await writer.append({
      rows: to - from,
      columns: Object.fromEntries(
        Object.entries(data).map(([name, values]) => [name, values.slice(from, to)]),
      ),
    });
  }
  return await writer.finish();
}

export async function readRows(
  path: string,
  options: { columns?: readonly string[]; firstRow?: number } = {},
): Promise<Record<string, unknown[]>> {
  await using reader = await openParquetFile(path);
  const all: Record<string, unknown[]> = {};
  for (const name of options.columns ?? reader.columns.map((column) => column.name)) all[name] = [];
  for await (const { columns } of reader.batches(options)) {
    for (const [name, values] of Object.entries(columns)) all[name]?.push(...Array.from(values));
  }
  return all;
}
