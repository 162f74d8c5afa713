import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "@kindred/errors";
import { ABANDONED_MS, fileSize, isMissing, temporaryName } from "../files.ts";
import { describeAnswer, request } from "./http-request.ts";

export interface DownloadOptions {
  readonly url: string;
  /** Sent to the url's own origin only, not to where it redirects. */
  readonly token?: string | undefined;
  /** Where the file will finally lie; unfinished downloads are kept beside it, to be continued by a later call. */
  readonly target: string;
  /** Expected size. */
  readonly bytes: number;
  readonly onBytes: (done: number) => void;
  readonly timeouts?: Partial<DownloadTimeouts>;
}

export interface DownloadTimeouts {
  /** Until a server answers, for each redirect anew. Short: a closed network must not hold up the next source. */
  readonly responseMs: number;
  /** Without a single byte. */
  readonly stallMs: number;
  /** Before the second attempt; doubles for each one after. */
  readonly backoffMs: number;
}

export const DEFAULT_TIMEOUTS: DownloadTimeouts = { responseMs: 3000, stallMs: 30_000, backoffMs: 500 };
const MAX_ATTEMPTS = 4;

/** A failure that another attempt may mend. */
class Interrupted extends Error {}

/** Where the body of a response starts in the file: at `offset` when the server continues, else at 0. */
function startOf(response: Response, options: DownloadOptions, offset: number): number {
  if (response.status === 200) return 0;
  if (response.status === 206) {
    const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get("content-range") ?? "");
    if (range !== null && Number(range[1]) === offset) return offset;
    throw new Interrupted("the server continued at another place than it was asked to");
  }
  const answer = describeAnswer(response, options.token);
  if (response.status === 416) throw new Interrupted(answer);
  if (response.status === 429 || response.status >= 500) throw new Interrupted(answer);
  if (response.status === 401 || response.status === 403) {
    throw new Error(answer);
  }
  throw new Error(`${answer} for ${options.url}`);
}

/** One request that continues the file at `path` where it ends. */
async function attempt(path: string, options: DownloadOptions, timeouts: DownloadTimeouts): Promise<void> {
  const offset = (await fileSize(path)) ?? 0;
  const abort = new AbortController();
  const response = await request({
    url: options.url,
    headers: offset > 0 ? { range: `bytes=${offset}-` } : {},
    token: options.token,
    responseMs: timeouts.responseMs,
    abort,
  });
  let position: number;
  try {
    position = startOf(response, options, offset);
  } catch (error) {
    await response.body?.cancel();
    // What is there may be of another version: begin anew.
    if (response.status === 206 || response.status === 416) await rm(path, { force: true });
    throw error;
  }
  const reader = response.body?.getReader();
  const read = async (): Promise<Uint8Array | undefined> => {
    const timer = setTimeout(() => {
      abort.abort(new Error(`no byte for ${timeouts.stallMs} ms`));
    }, timeouts.stallMs);
    try {
      return (await reader?.read())?.value;
    } catch (error) {
      const cause = abort.signal.reason ?? (error as Error).cause ?? error;
      throw new Interrupted(`the connection broke off at byte ${position}: ${messageOf(cause)}`);
    } finally {
      clearTimeout(timer);
    }
  };
  const file = await open(path, position === 0 ? "w" : "r+");
  try {
    for (let chunk = await read(); chunk !== undefined; chunk = await read()) {
      if (position + chunk.length > options.bytes) {
        throw new Error(`the server sends more than the expected ${options.bytes} bytes`);
      }
      await file.write(chunk, 0, chunk.length, position);
      position += chunk.length;
      options.onBytes(position);
    }
    await file.sync();
  } finally {
    await file.close();
    // Ends the connection where not all was read; what that says is of no interest any more.
    await reader?.cancel().catch(() => undefined);
  }
  if (position < options.bytes) {
    throw new Interrupted(`the connection closed at byte ${position} of ${options.bytes}`);
  }
}

/** Takes over what an earlier download left, by renaming it: of several processes one gets it. */
async function claimUnfinished(target: string, own: string): Promise<boolean> {
  const folder = dirname(target);
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const released = path === `${target}.part`;
    if (!released && !path.startsWith(`${target}.tmp-`)) continue;
    try {
      if (!released && Date.now() - (await stat(path)).mtimeMs < ABANDONED_MS) continue;
      await rename(path, own);
      return true;
    } catch (error) {
      // Somebody else took it in between.
      if (!isMissing(error)) throw error;
    }
  }
  return false;
}

export interface Download {
  /** Beside the target, the caller's to move or to remove. */
  readonly temporary: string;
  /** Whether its beginning was left by an earlier call. */
  readonly continued: boolean;
}

/**
 * Downloads a file over HTTP, continuing after interruptions and where an earlier call had to stop.
 * Nothing is verified but the size.
 */
export async function download(options: DownloadOptions): Promise<Download> {
  const timeouts = { ...DEFAULT_TIMEOUTS, ...options.timeouts };
  const temporary = temporaryName(options.target);
  await mkdir(dirname(options.target), { recursive: true });
  let continued = await claimUnfinished(options.target, temporary);
  if (continued && ((await fileSize(temporary)) ?? 0) >= options.bytes) {
    await rm(temporary);
    continued = false;
  }
  try {
    for (let n = 1; ; n++) {
      try {
        await attempt(temporary, options, timeouts);
        return { temporary, continued };
      } catch (error) {
        if (!(error instanceof Interrupted) || n === MAX_ATTEMPTS) throw error;
        await sleep(timeouts.backoffMs * 2 ** (n - 1));
      }
    }
  } catch (error) {
    if ((await fileSize(temporary)) !== undefined) await rename(temporary, `${options.target}.part`);
    throw error;
  }
}
