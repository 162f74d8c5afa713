import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { unpackVectors } from "@kindred/rpc";

/**
 * A competitor in a process of its own: started once, warm between rounds, told over standard input what to do, one JSON line a
 * request and a reply. It measures its own seconds, so that the pipe does not count.
 */
export interface ContestantProcess extends AsyncDisposable {
  /** What it says of itself once it is ready, e.g. versions. */
  readonly facts: Readonly<Record<string, unknown>>;
  /** Does the whole work once, in one of its ways. @returns its seconds. */
  run(variant: string): Promise<number>;
  /** Vectors of the first texts, row after row. */
  vectors(count: number): Promise<Float32Array>;
}

interface Reply {
  readonly ready?: Record<string, unknown>;
  readonly seconds?: number;
  /** Little-endian float32, base64. */
  readonly vectors?: string;
  readonly dimensions?: number;
  /** Why there will be no contest. */
  readonly error?: string;
}

/** Starts it and waits until it is ready. @throws Error with its own words when it cannot take part. */
export async function startContestant(
  command: string,
  args: readonly string[],
  options: { cwd?: string } = {},
): Promise<ContestantProcess> {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"], ...options });
  const exited = once(child, "exit");
  exited.catch(() => {});
  // A write to a contestant that has died fails here; the missing reply is what tells.
  child.stdin.on("error", () => {});
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();

  const nextReply = async (): Promise<Reply> => {
    for (;;) {
      const { value, done } = await lines.next();
      if (done === true) {
        const [code] = (await exited) as [number | null];
        throw new Error(`${command} ${args[0]} ended with code ${code}`);
      }
      // Libraries print what they like; replies are objects.
      if (!value.startsWith("{")) continue;
      const reply = JSON.parse(value) as Reply;
      if (reply.error !== undefined) throw new Error(reply.error);
      return reply;
    }
  };
  const ask = async (request: object): Promise<Reply> => {
    child.stdin.write(`${JSON.stringify(request)}\n`);
    return await nextReply();
  };
  const stop = async (): Promise<void> => {
    child.stdin.end();
    if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) await exited;
  };

  try {
    const { ready } = await nextReply();
    return {
      facts: ready ?? {},
      run: async (variant) => (await ask({ run: variant })).seconds as number,
      vectors: async (count) => {
        const { vectors, dimensions } = await ask({ vectors: count });
        return unpackVectors(Buffer.from(vectors as string, "base64"), dimensions as number);
      },
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    child.kill();
    throw error;
  }
}
