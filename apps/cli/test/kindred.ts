import { spawn, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import type { Readable, Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const BIN = fileURLToPath(new URL("../bin/kindred.mjs", import.meta.url));

export interface Outcome {
  code: number | null;
  out: string;
  err: string;
}

/** The `kindred` command as a process of its own. */
export class Kindred {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #ended: Promise<unknown>;
  out = "";
  err = "";

  /** @param input all of its standard input; null for one that gives nothing and does not end */
  constructor(args: readonly string[], env: Readonly<Record<string, string>>, input: string | null = "") {
    this.child = spawn(process.execPath, [BIN, ...args], {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, DATABASE_URL: "", KINDRED_URL: "", NO_COLOR: "1", ...env },
    });
    this.child.stdout.on("data", (chunk: Buffer) => (this.out += chunk.toString()));
    this.child.stderr.on("data", (chunk: Buffer) => (this.err += chunk.toString()));
    this.#ended = once(this.child, "close");
    // Whoever does not read it may be gone before it is written.
    this.child.stdin.on("error", () => {});
    if (input !== null) this.child.stdin.end(input);
  }

  /** Resolves when the text was written; rejects when the command ends without it. */
  async said(text: string): Promise<void> {
    for (;;) {
      if (this.out.includes(text) || this.err.includes(text)) return;
      if (this.child.exitCode !== null || this.child.signalCode !== null) {
        throw new Error(`it ended without saying "${text}":\n${this.out}\n${this.err}`);
      }
      await sleep(20);
    }
  }

  async outcome(): Promise<Outcome> {
    await this.#ended;
    return { code: this.child.exitCode, out: this.out, err: this.err };
  }
}

export async function kindred(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  input?: string,
): Promise<Outcome> {
  return await new Kindred(args, env, input).outcome();
}

/** Resolves once the condition holds; the test's own timeout is the limit. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(20);
}

/** Pids of the processes that carry the variable in their environment: whatever a command has started, however deep. */
export function processesWith(variable: string, value: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const isZombie = /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
        return (
          !isZombie &&
          readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").includes(`${variable}=${value}`)
        );
      } catch {
        // Gone by now.
        return false;
      }
    })
    .map(Number);
}

export const hasProc = existsSync("/proc/self/environ");
