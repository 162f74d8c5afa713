// Writes rows to the file it is given until it is killed or fails; says when the first are on the disk, and how it failed.
import { randomBytes } from "node:crypto";
import { isKindredError } from "@kindred/errors";
import { createParquetFile } from "@kindred/parquet";

async function writeForever(path: string): Promise<never> {
  await using writer = await createParquetFile(path, {
    columns: [{ name: "bytes", type: "bytes", nullable: false }],
    rowGroupRows: 4,
  });
  for (;;) {
    await writer.append({ rows: 4, columns: { bytes: Array.from({ length: 4 }, () => randomBytes(4096)) } });
    process.stdout.write("written\n");
  }
}

try {
  await writeForever(process.argv[2] as string);
} catch (error) {
  if (!isKindredError(error)) throw error;
  process.stdout.write(`${error.kind} ${error.message}\n`);
}
