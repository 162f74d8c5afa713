import { constants, cp, mkdir, mkdtemp, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";

/** A fresh data directory, made once: copying it takes a fraction of the time that initdb takes in WebAssembly. */
export async function ensureTemplate(
  cacheDir: string,
  version: string,
  create: (dataDir: string) => Promise<void>,
): Promise<string> {
  const template = join(cacheDir, `pglite-${version}`);
  if (await isFolder(template)) return template;
  await mkdir(cacheDir, { recursive: true });
  const work = await mkdtemp(join(cacheDir, ".pglite-"));
  try {
    const made = join(work, "data");
    await create(made);
    await moveInto(made, template);
    return template;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Copies the template to `dataDir`, all of it or nothing; a data directory that is there stays as it is. */
export async function ensureDataDirectory(dataDir: string, template: string): Promise<void> {
  if (await isFolder(dataDir)) return;
  const work = `${dataDir}.new`;
  await rm(work, { recursive: true, force: true });
  try {
    await cp(template, work, { recursive: true, mode: constants.COPYFILE_FICLONE });
    await rename(work, dataDir);
  } catch (error) {
    await rm(work, { recursive: true, force: true });
    throw error;
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}

/** Of several that make the template at once, the first wins. */
async function moveInto(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOTEMPTY" && code !== "EEXIST") throw error;
  }
}
