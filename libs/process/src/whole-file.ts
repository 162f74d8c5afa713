import { open, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { KindredError, messageOf } from "@kindred/errors";

/**
 * Writes a small file: whole, or as it was before, also when this process is killed. With `durable` also when the machine is.
 * @throws the file system's errors
 */
export async function writeWhole(
  path: string,
  content: string,
  options: { durable: boolean },
): Promise<void> {
  const aside = `${path}.${process.pid}.part`;
  try {
    const file = await open(aside, "w");
    try {
      await file.writeFile(content);
      if (options.durable) await file.sync();
    } finally {
      await file.close();
    }
    await rename(aside, path);
  } catch (error) {
    await rm(aside, { force: true });
    throw error;
  }
  if (options.durable) await syncFolder(dirname(path));
}

/** Makes the names in a folder survive a crash of the machine. */
export async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, "r");
  await folder.sync();
}

/**
 * The JSON of a file; undefined when there is no such file.
 * @throws KindredError data-loss when it is no JSON
 */
export async function readJson(path: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new KindredError("data-loss", `${path} is no JSON: ${messageOf(error)}`, { cause: error });
  }
}
