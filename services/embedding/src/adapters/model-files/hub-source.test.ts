import { createHash, randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { FoundFile, ModelProgress } from "../../domain/model-files.ts";
import { currentCommit, hubSource, type HubOptions } from "./hub-source.ts";
import { modelFileCache } from "./local-sources.ts";

const CONTENT = randomBytes(300_000);
const FILE = {
  name: "model.safetensors",
  bytes: CONTENT.length,
  sha256: createHash("sha256").update(CONTENT).digest("hex"),
};
const MODEL = "owner/model";

type Request = { method: string; path: string; headers: IncomingHttpHeaders };
type Answer = (response: ServerResponse, request: Request) => void;

let folder: string;
let server: Server;
let endpoint: string;
let requests: Request[];
/** Answers in order; the last one stays. */
let answers: Answer[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "kindred-hub-"));
  [requests, answers] = [[], [whole]];
  server = createServer((incoming, response) => {
    const request = {
      method: incoming.method ?? "",
      path: incoming.url ?? "",
      headers: incoming.headers,
    };
    requests.push(request);
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    answer?.(response, request);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true, force: true });
});

/** Serves the file as the hub does: all of it, or from where a Range asks. */
const whole: Answer = (response, { headers }) => {
  const from = Number(/^bytes=(\d+)-$/.exec(headers.range ?? "")?.[1] ?? 0);
  const rest = CONTENT.subarray(from);
  const range = from > 0 ? { "content-range": `bytes ${from}-${CONTENT.length - 1}/${CONTENT.length}` } : {};
  response.writeHead(from > 0 ? 206 : 200, { "content-length": rest.length, ...range });
  response.end(rest);
};

/** Sends the first bytes and breaks the connection. */
const cutAfter =
  (bytes: number): Answer =>
  (response) => {
    response.writeHead(200, { "content-length": CONTENT.length });
    response.write(CONTENT.subarray(0, bytes), () => setTimeout(() => response.destroy(), 20));
  };

const status =
  (code: number): Answer =>
  (response) => {
    response.writeHead(code);
    response.end("no");
  };

function hub(options: Partial<HubOptions> = {}) {
  return hubSource({
    repository: MODEL,
    revision: "main",
    endpoint,
    hubCache: join(folder, "hub"),
    offline: false,
    token: undefined,
    cache: modelFileCache(folder),
    timeouts: { backoffMs: 1 },
    ...options,
  });
}

const ignore = () => undefined;
const snapshot = (revision: string) => join(folder, "hub", "models--owner--model", "snapshots", revision);
const cachedPath = () => modelFileCache(folder).pathOf(FILE);
const filesBeside = () => readdir(dirname(cachedPath()));

async function expectCached({ path, ...file }: FoundFile): Promise<void> {
  expect(file).toEqual(FILE);
  expect(path).toBe(cachedPath());
  expect(CONTENT.equals(await readFile(path))).toBe(true);
  expect(await filesBeside()).toEqual([FILE.name]);
}

describe("a download", () => {
  test("ends in the cache, verified, and reports its progress", async () => {
    const progress: ModelProgress[] = [];
    await expectCached(await hub().obtain(FILE, (report) => progress.push(report)));
    expect(requests.map((request) => request.path)).toEqual(["/owner/model/resolve/main/model.safetensors"]);
    const downloaded = progress.filter((report) => report.phase === "download").map((report) => report.done);
    expect(downloaded.at(-1)).toBe(FILE.bytes);
    expect(downloaded).toEqual(downloaded.toSorted((a, b) => a - b));
    expect(progress.at(-1)).toEqual({ phase: "verify", done: FILE.bytes, total: FILE.bytes, source: "hub" });
  });

  test("follows redirects, and tells its token only to the hub itself", async () => {
    const other = createServer((_, response) => response.end(CONTENT));
    let seen: IncomingHttpHeaders | undefined;
    other.on("request", (request) => (seen = request.headers));
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const target = `http://127.0.0.1:${(other.address() as AddressInfo).port}/blob`;
    answers = [
      (response) => response.writeHead(302, { location: "/here" }).end(),
      (response) => response.writeHead(302, { location: target }).end(),
    ];
    await expectCached(await hub({ token: "secret" }).obtain(FILE, ignore));
    expect(requests.map((request) => request.headers.authorization)).toEqual([
      "Bearer secret",
      "Bearer secret",
    ]);
    expect(seen?.authorization).toBeUndefined();
    other.closeAllConnections();
    await new Promise((resolve) => other.close(resolve));
  });

  test("continues where the connection broke off", async () => {
    answers = [cutAfter(100_000), whole];
    await expectCached(await hub().obtain(FILE, ignore));
    expect(requests[1]?.headers.range).toBe("bytes=100000-");
  });

  test("continues what an earlier call had to leave", async () => {
    answers = [cutAfter(100_000), status(404)];
    await expect(hub().obtain(FILE, ignore)).rejects.toThrow("404");
    expect(await filesBeside()).toEqual([`${FILE.name}.part`]);
    answers = [whole];
    requests = [];
    await expectCached(await hub().obtain(FILE, ignore));
    expect(requests[0]?.headers.range).toBe("bytes=100000-");
  });

  test("takes over what a killed process left long ago, and not what another one is writing now", async () => {
    await mkdir(dirname(cachedPath()), { recursive: true });
    const [old, young] = [`${cachedPath()}.tmp-1-aa`, `${cachedPath()}.tmp-2-bb`];
    await writeFile(old, CONTENT.subarray(0, 5000));
    await utimes(old, new Date(0), new Date(0));
    await writeFile(young, CONTENT.subarray(0, 7000));
    await hub().obtain(FILE, ignore);
    expect(requests[0]?.headers.range).toBe("bytes=5000-");
    expect((await filesBeside()).toSorted()).toEqual([FILE.name, `${FILE.name}.tmp-2-bb`]);
  });

  test("starts anew when the server does not know ranges", async () => {
    answers = [cutAfter(100_000), (response) => response.end(CONTENT)];
    await expectCached(await hub().obtain(FILE, ignore));
    expect(requests).toHaveLength(2);
  });

  test.each([
    ["another place", 206, { "content-range": "bytes 5-9/300000" }],
    ["nothing for that range", 416, {}],
  ])("starts anew when the server answers with %s", async (_name, code, headers) => {
    answers = [cutAfter(100_000), (response) => response.writeHead(code, headers).end("x"), whole];
    await expectCached(await hub().obtain(FILE, ignore));
    expect(requests[2]?.headers.range).toBeUndefined();
  });

  test("starts anew, once, when what was left turns out to be of another file", async () => {
    await mkdir(dirname(cachedPath()), { recursive: true });
    await writeFile(`${cachedPath()}.part`, randomBytes(1000));
    await expectCached(await hub().obtain(FILE, ignore));
    expect(requests.map((request) => request.headers.range)).toEqual(["bytes=1000-", undefined]);
  });

  test("comes through a server that recovers", async () => {
    answers = [status(503), status(429), whole];
    await expectCached(await hub().obtain(FILE, ignore));
    expect(requests).toHaveLength(3);
  });

  test("by several at once is whole for all of them", async () => {
    const found = await Promise.all([hub(), hub(), hub()].map((source) => source.obtain(FILE, ignore)));
    for (const file of found) await expectCached(file);
    expect(found).toHaveLength(3);
  });
});

describe("a download fails, saying why,", () => {
  test.each<[string, Answer, RegExp]>([
    ["when there is no such file", status(404), /answered 404 Not Found for http/],
    ["when it is not allowed", status(401), /401 Unauthorized; HF_TOKEN is not set/],
    ["when the server stays down", status(503), /answered 503/],
    ["when the connection always breaks", cutAfter(0), /broke off at byte 0/],
    ["when it is cut short cleanly", (r) => r.end(CONTENT.subarray(0, 9)), /closed at byte \d+ of 300000/],
    ["when it is too long", (r) => r.end(Buffer.concat([CONTENT, CONTENT])), /more than the expected 300000/],
    [
      "when it redirects for ever",
      (r) => r.writeHead(302, { location: "/again" }).end(),
      /more than 5 redirects/,
    ],
    [
      "when it redirects to a file",
      (r) => r.writeHead(302, { location: "file:///etc/passwd" }).end(),
      /not HTTP/,
    ],
  ])("%s", async (_name, answer, message) => {
    answers = [answer];
    await expect(hub().obtain(FILE, ignore)).rejects.toThrow(message);
  });

  test("when the bytes are wrong, and keeps none of them", async () => {
    answers = [(response) => response.end(randomBytes(FILE.bytes))];
    await expect(hub().obtain(FILE, ignore)).rejects.toThrow(`expected ${FILE.sha256}`);
    expect(await filesBeside()).toEqual([]);
  });

  test("soon, when nobody answers", async () => {
    answers = [ignore];
    const timeouts = { responseMs: 50, backoffMs: 1 };
    await expect(hub({ timeouts }).obtain(FILE, ignore)).rejects.toThrow(
      /no answer from 127\.0\.0\.1:\d+ within 50 ms/,
    );
    expect(requests).toHaveLength(1);
  });

  test("when bytes stop coming", async () => {
    answers = [(response) => response.writeHead(200).write(CONTENT.subarray(0, 10))];
    const timeouts = { stallMs: 30, backoffMs: 1 };
    await expect(hub({ timeouts }).obtain(FILE, ignore)).rejects.toThrow("no byte for 30 ms");
  });

  test("when nothing listens", async () => {
    await new Promise((resolve) => server.close(resolve));
    await expect(hub().obtain(FILE, ignore)).rejects.toThrow(/no connection to 127\.0\.0\.1/);
    server = createServer();
  });
});

describe("the hub client's own cache", () => {
  test("is used before the network, whichever revision has the right bytes", async () => {
    for (const [revision, bytes] of [
      ["aaa", randomBytes(FILE.bytes)],
      ["bbb", CONTENT],
    ] as const) {
      await mkdir(snapshot(revision), { recursive: true });
      await writeFile(join(snapshot(revision), FILE.name), bytes);
    }
    await expectCached(await hub().obtain(FILE, ignore));
    expect(requests).toHaveLength(0);
  });

  test("is all there is when HF_HUB_OFFLINE is set", async () => {
    await expect(hub({ offline: true }).obtain(FILE, ignore)).rejects.toThrow("HF_HUB_OFFLINE");
    expect(requests).toHaveLength(0);
  });
});

describe("a file whose hash is not known", () => {
  const COMMIT = "c".repeat(40);
  const { name } = FILE;
  const unknown = { name };
  const atCommit = (options: Partial<HubOptions> = {}) => hub({ revision: COMMIT, ...options });

  /** Answers HEAD as the hub does for its large files, and GET with the bytes. */
  const large =
    (facts: Record<string, string>): Answer =>
    (response, request) => {
      if (request.method !== "HEAD") return whole(response, request);
      response.writeHead(302, {
        location: "/elsewhere",
        "x-linked-size": String(CONTENT.length),
        "x-repo-commit": COMMIT,
        ...facts,
      });
      response.end();
    };

  test("is taken at a commit, with the hash that the hub states for large files", async () => {
    answers = [large({ "x-linked-etag": `"${FILE.sha256}"` })];
    await expectCached(await atCommit().obtain(unknown, ignore));
    expect(requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
      `HEAD /owner/model/resolve/${COMMIT}/${name}`,
      `GET /owner/model/resolve/${COMMIT}/${name}`,
    ]);
  });

  test("is refused when its bytes are not those of the hub's hash", async () => {
    answers = [large({ "x-linked-etag": `"${"0".repeat(64)}"` })];
    await expect(atCommit().obtain(unknown, ignore)).rejects.toThrow(`expected ${"0".repeat(64)}`);
  });

  test("is refused when the server has another commit", async () => {
    answers = [large({ "x-repo-commit": "d".repeat(40) })];
    await expect(atCommit().obtain(unknown, ignore)).rejects.toThrow(`of the commit ${"d".repeat(40)}`);
  });

  test("is taken as it is when it is a small one, of which the hub states the size only", async () => {
    answers = [
      (response, request) => {
        if (request.method !== "HEAD") return whole(response, request);
        response.writeHead(200, { "content-length": CONTENT.length, etag: `"${"e".repeat(40)}"` }).end();
      },
    ];
    await expectCached(await atCommit().obtain(unknown, ignore));
    expect(requests.map(({ method }) => method)).toEqual(["HEAD", "GET"]);
  });

  test("is not downloaded when nobody knows how long it is to be", async () => {
    answers = [(response) => response.writeHead(200, { "transfer-encoding": "chunked" }).end()];
    await expect(atCommit().obtain(unknown, ignore)).rejects.toThrow(`does not tell the size of ${name}`);
  });

  test.each([
    ["EntryNotFound", "FileAbsent", /owner\/model has no model\.safetensors at c{40}/],
    ["RevisionNotFound", "Error", /404 Not Found \(RevisionNotFound\)/],
    ["RepoNotFound", "Error", /404 Not Found \(RepoNotFound\)/],
  ])("%s is told as %s", async (code, kind, message) => {
    answers = [(response) => response.writeHead(404, { "x-error-code": code }).end()];
    const obtaining = atCommit().obtain(unknown, ignore);
    await expect(obtaining).rejects.toThrow(message);
    await expect(obtaining).rejects.toHaveProperty("name", kind);
  });

  test("is never taken from a branch", async () => {
    await expect(hub().obtain(unknown, ignore)).rejects.toThrow("has no pinned hash, and main is no commit");
    expect(requests).toHaveLength(0);
  });

  test("comes from the hub client's snapshot of that commit, and from no other", async () => {
    await mkdir(snapshot("aaa"), { recursive: true });
    await writeFile(join(snapshot("aaa"), name), randomBytes(100));
    await expect(atCommit({ offline: true }).obtain(unknown, ignore)).rejects.toThrow("HF_HUB_OFFLINE");
    await mkdir(snapshot(COMMIT), { recursive: true });
    await writeFile(join(snapshot(COMMIT), name), CONTENT);
    await expectCached(await atCommit({ offline: true }).obtain(unknown, ignore));
  });

  test("in that snapshot has to be what its blob's name says", async () => {
    const blobs = join(folder, "blobs");
    await mkdir(blobs);
    await mkdir(snapshot(COMMIT), { recursive: true });
    await writeFile(join(blobs, "f".repeat(64)), CONTENT);
    await symlink(join(blobs, "f".repeat(64)), join(snapshot(COMMIT), name));
    await expect(atCommit({ offline: true }).obtain(unknown, ignore)).rejects.toThrow("HF_HUB_OFFLINE");
  });
});

describe("the commit of a branch", () => {
  const repository = () => ({ endpoint, repository: MODEL, token: "secret" });

  test("is asked of the hub", async () => {
    answers = [(response) => response.end(JSON.stringify({ sha: "b".repeat(40) }))];
    expect(await currentCommit(repository(), "main")).toBe("b".repeat(40));
    expect(requests[0]).toMatchObject({
      path: "/api/models/owner/model/revision/main",
      headers: { authorization: "Bearer secret" },
    });
  });

  test.each<[string, Answer, RegExp]>([
    ["is refused", status(403), /403 Forbidden; HF_TOKEN was not accepted/],
    ["is no commit", (response) => response.end('{"sha": "main"}'), /named no commit/],
  ])("fails when it %s", async (_name, answer, message) => {
    answers = [answer];
    await expect(currentCommit(repository(), "main")).rejects.toThrow(message);
  });
});

describe("the local cache", () => {
  test("replaces a damaged file instead of trusting it", async () => {
    const cache = modelFileCache(folder);
    await hub().obtain(FILE, ignore);
    await writeFile(cachedPath(), randomBytes(FILE.bytes));
    await expect(cache.obtain(FILE, ignore)).rejects.toThrow("the damaged file was removed");
    await expect(cache.obtain(FILE, ignore)).rejects.toThrow("nothing cached yet");
    await expectCached(await hub().obtain(FILE, ignore));
    await expectCached(await cache.obtain(FILE, ignore));
  });
});
