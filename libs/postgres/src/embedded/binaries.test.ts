import { chmod, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { findInstalledPostgres } from "./binaries.ts";

let root: string;
let path: string | undefined;
beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), "kindred-binaries-")));
  path = process.env["PATH"];
});
afterEach(async () => {
  process.env["PATH"] = path;
  await rm(root, { recursive: true });
});

/** Programs that answer as an installed PostgreSQL's do; `vector` says whether pgvector's files are there. */
async function install(name: string, version: string, options: { vector: boolean }): Promise<string> {
  const folder = join(root, name, "bin");
  const shared = join(root, name, "share");
  await mkdir(folder, { recursive: true });
  await mkdir(join(shared, "extension"), { recursive: true });
  if (options.vector) await writeFile(join(shared, "extension", "vector.control"), "");
  const programs = { postgres: `postgres (PostgreSQL) ${version}`, pg_config: shared, initdb: "" };
  for (const [program, answer] of Object.entries(programs)) {
    await writeFile(join(folder, program), `#!/bin/sh\necho '${answer}'\n`);
    await chmod(join(folder, program), 0o755);
  }
  return folder;
}

async function find(folders: string[], major?: string) {
  process.env["PATH"] = [...folders, "/usr/bin", "/bin"].join(":");
  return await findInstalledPostgres(major);
}

test("the first on PATH with pgvector is taken", async () => {
  const folders = [
    await install("without", "18.1", { vector: false }),
    await install("with", "16.4 (Debian 16.4-1)", { vector: true }),
    await install("later", "17.2", { vector: true }),
  ];
  expect(await find(folders)).toEqual({ folder: folders[1], version: "16.4" });
});

test("links on PATH lead to where the rest is", async () => {
  const folder = await install("real", "17.2", { vector: true });
  const links = join(root, "links");
  await mkdir(links);
  for (const name of ["postgres", "initdb"]) await symlink(join(folder, name), join(links, name));
  expect(await find([links])).toEqual({ folder, version: "17.2" });
});

test("the data decide which version will do", async () => {
  const folders = [
    await install("new", "18.1", { vector: true }),
    await install("old", "16.4", { vector: true }),
  ];
  expect(await find(folders, "16")).toEqual({ folder: folders[1], version: "16.4" });
});

test("why none will do is said of each", async () => {
  const found = await find(
    [
      await install("ancient", "13.9", { vector: true }),
      await install("bare", "17.2", { vector: false }),
      await install("other", "16.4", { vector: true }),
    ],
    "17",
  );
  expect(found).toHaveProperty("reason");
  const { reason } = found as { reason: string };
  expect(reason).toContain(`PostgreSQL 13.9 in ${root}/ancient/bin is older than 15`);
  expect(reason).toContain(`PostgreSQL 17.2 in ${root}/bare/bin has no pgvector`);
  expect(reason).toContain(`PostgreSQL 16.4 in ${root}/other/bin cannot read data of PostgreSQL 17`);
});
