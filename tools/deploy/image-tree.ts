import { execFile } from "node:child_process";
import {
  copyFile,
  link,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
} from "node:fs/promises";
import { basename, dirname, join, normalize, posix, relative } from "node:path";
import { promisify } from "node:util";
import {
  dockerignore,
  environmentOf,
  lastOf,
  parseDockerfile,
  type Instruction,
  type Stage,
} from "./dockerfile.ts";
import { productionPackages, type Lockfile } from "./production-packages.ts";

export interface ImageTree {
  /** The image's WORKDIR on this machine. */
  workdir: string;
  env: Readonly<Record<string, string>>;
  /** ENTRYPOINT and CMD together. */
  command: readonly string[];
}

interface Context {
  root: string;
  ignored: (path: string) => boolean;
  /** Where stages are laid out, a folder each. */
  folder: string;
  args: Readonly<Record<string, string>>;
  stages: readonly Stage[];
  /** Stages that were laid out, by index. */
  done: Map<number, Promise<string>>;
}

/**
 * Lays out below `folder` what `docker build` would put into an image, without an engine and without a network: it follows the
 * Dockerfile's COPY instructions and .dockerignore to the letter, puts the packages that the lock file gives the workspace where `npm install`
 * would (from this checkout's node_modules, as hard links where the file system allows), and runs the other RUN instructions of the stages
 * before the last. Base images are taken to be empty; RUN instructions of the last stage, which work on the whole system, are left out.
 */
export async function layOutImage(root: string, dockerfilePath: string, folder: string): Promise<ImageTree> {
  const dockerfile = parseDockerfile(await readFile(join(root, dockerfilePath), "utf8"));
  const ignored = dockerignore(await readFile(join(root, ".dockerignore"), "utf8"));
  const context = {
    root,
    ignored,
    folder,
    args: dockerfile.args,
    stages: dockerfile.stages,
    done: new Map(),
  };
  const tree = await stageTree(context, dockerfile.stages.length - 1);
  return {
    workdir: join(tree, lastOf(dockerfile, "WORKDIR")?.rest ?? "/"),
    env: environmentOf(dockerfile),
    command: [
      ...(lastOf(dockerfile, "ENTRYPOINT")?.words ?? []),
      ...(lastOf(dockerfile, "CMD")?.words ?? []),
    ],
  };
}

/** @returns the folder that is the stage's `/` */
function stageTree(context: Context, index: number): Promise<string> {
  const tree = context.done.get(index) ?? layOutStage(context, index);
  context.done.set(index, tree);
  return tree;
}

async function layOutStage(context: Context, index: number): Promise<string> {
  const stage = context.stages[index] as Stage;
  const tree = join(context.folder, String(index));
  await mkdir(tree, { recursive: true });
  const below = context.stages.findIndex(({ name }) => name === stage.base);
  if (below !== -1) await lay(await stageTree(context, below), tree);
  let workdir = lastWorkdir(context, stage) ?? "/";
  for (const instruction of stage.instructions) {
    if (instruction.keyword === "WORKDIR") {
      workdir = instruction.rest;
      await mkdir(join(tree, workdir), { recursive: true });
    } else if (instruction.keyword === "COPY") {
      await copy(context, instruction, tree, workdir);
    } else if (instruction.keyword === "RUN") {
      await run(context, instruction, join(tree, workdir), index === context.stages.length - 1);
    }
  }
  return tree;
}

function lastWorkdir(context: Context, stage: Stage): string | undefined {
  const below = context.stages.find(({ name }) => name === stage.base);
  return below?.instructions.findLast(({ keyword }) => keyword === "WORKDIR")?.rest;
}

async function copy(
  context: Context,
  { flags, words }: Instruction,
  tree: string,
  workdir: string,
): Promise<void> {
  const sources = words.slice(0, -1);
  const destination = join(tree, posix.resolve(workdir, words.at(-1) as string));
  if (flags["from"] !== undefined) {
    const from = context.stages.findIndex(({ name }) => name === flags["from"]);
    // Another image; what is copied from it is not ours.
    if (from === -1) return;
    const other = await stageTree(context, from);
    for (const source of sources) await lay(join(other, source), destination);
    return;
  }
  for (const source of sources.map(normalize)) {
    const wanted = (file: string): boolean => !context.ignored(relative(context.root, file));
    const laid = await lay(
      join(context.root, source),
      flags["parents"] === undefined ? destination : join(destination, source),
      wanted,
    );
    if (laid === 0) throw new Error(`.dockerignore keeps out all of ${source}, which a COPY names`);
  }
}

async function run(context: Context, { rest }: Instruction, cwd: string, lastStage: boolean): Promise<void> {
  const workspace = /^npm install .*--workspace=(\S+)/.exec(rest)?.[1];
  if (workspace !== undefined) return await install(context.root, workspace, cwd);
  if (lastStage) return;
  const TARGETARCH = process.arch === "x64" ? "amd64" : process.arch;
  await promisify(execFile)("sh", ["-c", rest], {
    cwd,
    env: { ...process.env, ...context.args, TARGETARCH },
  });
}

async function install(root: string, workspace: string, workdir: string): Promise<void> {
  const lock = JSON.parse(await readFile(join(workdir, "package-lock.json"), "utf8")) as Lockfile;
  for (const found of productionPackages(lock, workspace)) {
    const target = join(workdir, found.location);
    if (found.workspace !== undefined) {
      await mkdir(dirname(target), { recursive: true });
      await symlink(relative(dirname(target), join(workdir, found.workspace)), target);
    } else if (await exists(join(root, found.location))) {
      await lay(join(root, found.location), target, (path) => basename(path) !== "node_modules");
    } else if (!found.optional) {
      throw new Error(`${found.location} is not installed here; run npm install`);
    }
  }
}

/**
 * Copies a file or a folder over what is there: by hard links, or really where the file system is another one. Symbolic links stay
 * what they are.
 * @param wanted is asked for `from` and every path below it; a folder that is not wanted is not entered
 * @returns how many files there were
 */
async function lay(
  from: string,
  to: string,
  wanted: (path: string) => boolean = () => true,
): Promise<number> {
  if (!wanted(from)) return 0;
  const stats = await lstat(from);
  if (stats.isDirectory()) {
    await mkdir(to, { recursive: true });
    let laid = 0;
    for (const name of await readdir(from)) laid += await lay(join(from, name), join(to, name), wanted);
    return laid;
  }
  await mkdir(dirname(to), { recursive: true });
  await rm(to, { force: true });
  if (stats.isSymbolicLink()) await symlink(await readlink(from), to);
  else await linkFile(from, to);
  return 1;
}

async function linkFile(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EXDEV" && code !== "EPERM" && code !== "EMLINK") throw error;
    await copyFile(from, to);
  }
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
