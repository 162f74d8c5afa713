import { createHash } from "node:crypto";
import { mkdir, readFile, rm, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { messageOf } from "@kindred/errors";
import { INDEX_FILE, METADATA_FILE } from "@kindred/faiss";
import { writeWhole } from "@kindred/process";

/** What a migration is of and where it goes: one that goes on has to agree in all of it. */
interface Identity {
  origin: string;
  folder: string;
  space: string;
  embeddingType: string;
  files: { size: number; modifiedMs: number }[];
}

/** How far a migration got. Beside the data set nothing is written: its folder may be somebody else's. */
export interface ProgressFile {
  path: string;
  /** Vectors, from the first, that are stored; a text says why the file is of no use. 0 without one. */
  read(): Promise<number | string>;
  /** @throws Error when it cannot be written */
  write(vectors: number): Promise<void>;
  remove(): Promise<void>;
}

export async function progressFile(
  cache: string,
  options: { origin: string; folder: string; space: string; embeddingType: string },
): Promise<ProgressFile> {
  const folder = resolve(options.folder);
  const files = await Promise.all(
    [INDEX_FILE, METADATA_FILE].map(async (name) => {
      const { size, mtimeMs } = await stat(join(folder, name));
      return { size, modifiedMs: mtimeMs };
    }),
  );
  const identity: Identity = { ...options, folder, files };
  const digest = createHash("sha256").update(`${options.origin}\n${folder}`).digest("hex").slice(0, 24);
  const path = join(cache, "faiss", `${digest}.json`);
  return {
    path,
    read: () => read(path, identity),
    write: async (vectors) => {
      await mkdir(dirname(path), { recursive: true });
      const content = { version: 1, identity, vectors };
      await writeWhole(path, `${JSON.stringify(content)}\n`, { durable: false });
    },
    remove: () => rm(path, { force: true }),
  };
}

async function read(path: string, identity: Identity): Promise<number | string> {
  let found: { version?: number; identity?: Identity; vectors?: number } | null;
  try {
    found = JSON.parse(await readFile(path, "utf8")) as typeof found;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT" ? 0 : `it cannot be read: ${messageOf(error)}`;
  }
  const { version, vectors, identity: before } = found ?? {};
  if (version !== 1 || !Number.isSafeInteger(vectors)) return "it is of another version";
  if (JSON.stringify(before?.files) !== JSON.stringify(identity.files)) return "the files have changed since";
  if (JSON.stringify(before) !== JSON.stringify(identity)) return "the space or the type was another one";
  return vectors as number;
}
