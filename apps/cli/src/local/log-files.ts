import { createWriteStream, type WriteStream } from "node:fs";
import { rename } from "node:fs/promises";
import { join } from "node:path";
import { once } from "node:events";

/** Earlier runs' logs that are kept: name.log.1 is the run before. */
const KEPT_RUNS = 3;

/** One log file a process in a folder, begun anew at each start of Kindred. */
export class LogFiles implements AsyncDisposable {
  readonly #onWarning: (process: string, message: string) => void;
  readonly #streams = new Map<string, WriteStream>();

  private constructor(onWarning: (process: string, message: string) => void) {
    this.#onWarning = onWarning;
  }

  /** Puts the earlier runs' logs of these processes aside. */
  static async open(
    folder: string,
    processes: readonly string[],
    onWarning: (process: string, message: string) => void,
  ): Promise<LogFiles> {
    const files = new LogFiles(onWarning);
    for (const name of processes) {
      await rotate(join(folder, `${name}.log`));
      const stream = createWriteStream(join(folder, `${name}.log`), { flags: "w" });
      // A full disk must not stop Kindred: what cannot be kept is lost.
      stream.on("error", () => {});
      files.#streams.set(name, stream);
    }
    return files;
  }

  write(process: string, line: string): void {
    this.#streams.get(process)?.write(`${line}\n`);
    const warning = warningIn(line);
    if (warning !== undefined) this.#onWarning(process, warning);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const open = [...this.#streams.values()].filter((stream) => !stream.destroyed);
    await Promise.all(
      open.map(async (stream) => {
        stream.end();
        await once(stream, "close");
      }),
    );
  }
}

async function rotate(path: string): Promise<void> {
  const names = [path, ...Array.from({ length: KEPT_RUNS }, (_, i) => `${path}.${i + 1}`)];
  for (let i = names.length - 2; i >= 0; i--) {
    await rename(names[i] as string, names[i + 1] as string).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") throw error;
    });
  }
}

/** The message of a pino line that people should see; what ended a process (level fatal) is told by its supervisor. */
export function warningIn(line: string): string | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    const { level, msg, err } = JSON.parse(line) as {
      level?: string;
      msg?: string;
      err?: { message?: string };
    };
    if (!["warn", "error"].includes(level ?? "")) return undefined;
    return [msg, err?.message].filter((part) => part !== undefined && part !== "").join(": ");
  } catch {
    return undefined;
  }
}
