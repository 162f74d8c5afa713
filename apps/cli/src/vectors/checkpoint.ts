import { readFile, rm } from "node:fs/promises";
import { resolve } from "node:path";
import { messageOf } from "@kindred/errors";
import { writeWhole } from "@kindred/process";
import type { FileState, Position } from "./item-source.ts";

/** What an import is of and where it goes: one that goes on has to agree in all of it. */
export interface ImportIdentity {
  origin: string;
  collection: string;
  /** ISO 8601: one that was deleted and created anew is another one. */
  collectionCreatedAt: string;
  space: string;
  /** Of the file, and that of its keys. */
  files: readonly FileState[];
}

interface Checkpoint {
  version: 1;
  identity: ImportIdentity;
  /** Everything before it is stored. */
  position: Position;
}

/** How far an import got: a small file beside what is imported. */
export interface CheckpointFile {
  path: string;
  /** Where to go on; a text says why not. undefined when there is no file. */
  read(): Promise<Position | string | undefined>;
  /** @throws Error when it cannot be written */
  write(position: Position): Promise<void>;
  remove(): Promise<void>;
}

export function checkpointFile(of: string, identity: ImportIdentity): CheckpointFile {
  const path = `${of}.kindred-checkpoint`;
  const target = resolve(path);
  return {
    path,
    read: () => read(target, identity),
    write: async (position) => {
      const content: Checkpoint = { version: 1, identity, position };
      await writeWhole(target, `${JSON.stringify(content)}\n`, { durable: false });
    },
    remove: () => rm(target, { force: true }),
  };
}

async function read(path: string, identity: ImportIdentity): Promise<Position | string | undefined> {
  let found: Checkpoint;
  try {
    found = JSON.parse(await readFile(path, "utf8")) as Checkpoint;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    return `it cannot be read: ${messageOf(error)}`;
  }
  if (!isCheckpoint(found)) return "it is of another version";
  return differenceOf(found.identity, identity) ?? found.position;
}

function isCheckpoint(value: unknown): value is Checkpoint {
  const { version, identity, position } = (value ?? {}) as Partial<Checkpoint>;
  return (
    version === 1 &&
    Array.isArray(identity?.files) &&
    Number.isSafeInteger(position?.lines) &&
    Number.isSafeInteger(position?.bytes)
  );
}

function differenceOf(before: ImportIdentity, now: ImportIdentity): string | undefined {
  if (JSON.stringify(before.files) !== JSON.stringify(now.files)) return "the file has changed since";
  if (before.origin !== now.origin) return `that import went to ${before.origin}`;
  if (before.collection !== now.collection) return `that import went into ${before.collection}`;
  if (before.collectionCreatedAt !== now.collectionCreatedAt) return "the collection was created anew since";
  if (before.space !== now.space) return "--space was another one";
  return undefined;
}
