import { createServer, type Server } from "node:http";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { freePorts } from "@kindred/process";
import { runCli } from "./run-cli.ts";

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "kindred-cli-"));
});
afterEach(() => rmSync(home, { recursive: true }));

async function kindred(
  args: string[],
  env: Record<string, string> = {},
): Promise<{ code: number; out: string; err: string }> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const code = await runCli(args, { env: { KINDRED_HOME: home, ...env }, stdout, stderr });
  return { code, out: String(stdout.read() ?? ""), err: String(stderr.read() ?? "") };
}

describe("help", () => {
  test("lists the commands, examples and exit codes on standard output", async () => {
    const { code, out, err } = await kindred(["--help"]);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    for (const word of [
      "up",
      "demo",
      "search",
      "add",
      "import",
      "embed",
      "models",
      "stats",
      "generations",
      "index",
      "recall",
      "operations",
      "health",
      "db",
    ]) {
      expect(out).toMatch(new RegExp(`^ {2}${word}\\b`, "m"));
    }
    expect(out).toContain("Examples:");
    expect(out).toContain("Exit codes:");
  });

  test.each([
    ["up"],
    ["demo"],
    ["search"],
    ["add"],
    ["import coco"],
    ["embed"],
    ["models list"],
    ["models pull"],
    ["models info"],
    ["models bench"],
    ["generations record"],
    ["generations list"],
    ["generations lineage"],
    ["generations uses"],
    ["generations replay"],
    ["generations diff"],
    ["generations verify"],
    ["index ensure"],
    ["index list"],
    ["index plan"],
    ["index create"],
    ["index rebuild"],
    ["index drop"],
    ["index advise"],
    ["index policy"],
    ["recall measure"],
    ["recall tune"],
    ["recall curve"],
    ["recall history"],
    ["recall events"],
    ["operations list"],
    ["operations show"],
    ["operations watch"],
    ["operations cancel"],
    ["collections reembed"],
    ["health"],
    ["db setup"],
  ])("of %s shows its own options and the global ones", async (command) => {
    const { code, out } = await kindred([...command.split(" "), "--help"]);
    expect(code).toBe(0);
    expect(out).toContain(`Usage: kindred ${command}`);
    expect(out).toContain("--json");
  });
});

describe("usage errors have exit code 2 and write nothing to standard output", () => {
  test.each([
    [["nonsense"], /unknown command 'nonsense'/],
    [
      ["search", "x", "-k", "0"],
      /-k, --k <count>' argument '0' is invalid\. It must be an integer from 1 to 1000/,
    ],
    [["search", "x", "-k", "1e2"], /must be an integer/],
    [["search", "x", "--threshold", "high"], /must be a number/],
    [["search", "x", "--metric", "manhattan"], /Allowed choices are cosine, l2, inner-product, l1/],
    [["search", "x", "--max-staleness", "soon"], /It must be a time span such as 250ms/],
    [["index", "create", "x", "--kind", "none"], /Allowed choices are auto, hnsw, ivfflat, diskann/],
    [["search"], /Search for a text, or with --image-id/],
    [["search", "x", "y"], /too many arguments/],
    [["add", "cat.png"], /required option '-c, --caption <text>' not specified/],
    [["add", "cat.png", "--caption", " "], /--caption is empty/],
    [["generations", "record", "--prompt", "x", "--model", "[1]"], /must be a JSON object/],
    [["generations", "list", "--since", "yesterday"], /must be a date/],
    [["stats", "--timeout", "soon"], /--timeout must be a time span/],
    [["stats", "--url", "127.0.0.1:8080"], /--url must be a URL/],
    [["up", "--port", "99999"], /must be an integer from 1 to 65535/],
    [["up", "--database", "mysql://x"], /--database must be auto, native, pglite or a postgresql:\/\/ URL/],
  ])("%j", async (args, message) => {
    const { code, out, err } = await kindred(args);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toMatch(message);
  });
});

describe("where Kindred is", () => {
  const refused = async (args: string[], env: Record<string, string> = {}): Promise<string> => {
    const { code, out, err } = await kindred(["stats", ...args], env);
    expect({ code, out }).toEqual({ code: 69, out: "" });
    return err;
  };

  test("--url, else KINDRED_URL, else the one that runs here", async () => {
    const [a, b, c] = (await freePorts(3)).map((port) => `http://127.0.0.1:${port}`) as [
      string,
      string,
      string,
    ];
    writeFileSync(join(home, "run.json"), JSON.stringify({ pid: process.pid, origin: c }));
    expect(await refused(["--url", `${a}/`], { KINDRED_URL: b })).toContain(
      `cannot be reached at ${a} (ECONNREFUSED)`,
    );
    expect(await refused([], { KINDRED_URL: b })).toContain(b);
    expect(await refused([])).toContain(c);
  });

  test("a bad KINDRED_URL is a configuration error", async () => {
    const { code, err } = await kindred(["stats"], { KINDRED_URL: "ftp://x" });
    expect(code).toBe(78);
    expect(err).toContain("KINDRED_URL must be a URL with scheme http or https");
  });

  test("with --json the error is JSON, too, on standard error", async () => {
    const [port] = await freePorts(1);
    const { error } = JSON.parse(await refused(["--json", "--url", `http://127.0.0.1:${port}`]));
    expect(error).toMatchObject({ kind: "unavailable", remedy: expect.stringContaining("npm start") });
  });
});

describe("something else answers there", () => {
  let server: Server;
  beforeEach(async () => {
    server = createServer((_, response) =>
      response.writeHead(404, { "content-type": "text/html" }).end("<h1>no</h1>"),
    );
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  });
  afterEach(() => void server.close());

  test.each([["stats"], ["health"]])("%s says so", async (command) => {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { code, out, err } = await kindred([command, "--url", url]);
    expect(code).not.toBe(0);
    expect(out).toBe("");
    expect(err).toMatch(/^error: [^]*origin/);
  });
});

describe("a file that is not COCO", () => {
  test("is refused before anything is called: exit code 65, nothing on standard output", async () => {
    const path = join(home, "instances.json");
    writeFileSync(
      path,
      JSON.stringify({ images: [{ id: 1, file_name: "1.jpg" }], annotations: [{ id: 1, image_id: 1 }] }),
    );
    const { code, out, err } = await kindred(["import", "coco", path]);
    expect({ code, out }).toEqual({ code: 65, out: "" });
    expect(err).toContain("is not a COCO captions file: annotations[0] has no caption");
    expect(err).toContain("Nothing was written");
  });
});
