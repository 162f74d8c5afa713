import { CommanderError } from "commander";
import { createContext, DEFAULT_URL, type Environment, type GlobalOptions } from "./context.ts";
import { EXIT, type ExitCode } from "./exit-codes.ts";
import { explain, type Explanation } from "./failure.ts";
import { createProgram } from "./program.ts";
import { createTerminal, type Terminal } from "./terminal/terminal.ts";

export interface CliDeps {
  env: Environment;
  stdout: NodeJS.WritableStream;
  stderr: NodeJS.WritableStream;
}

/** Runs one command line, and returns the exit code. */
export async function runCli(args: readonly string[], deps: CliDeps): Promise<ExitCode> {
  const terminal = createTerminal(deps);
  let code: ExitCode = EXIT.ok;
  let url = DEFAULT_URL;
  let json = false;
  const program = createProgram({
    terminal,
    run: async (command, work) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      json = options.json ?? false;
      const context = await createContext(options, { env: deps.env, terminal });
      url = context.url;
      code = (await work(context)) ?? EXIT.ok;
    },
  });
  try {
    await program.parseAsync(args, { from: "user" });
    return code;
  } catch (error) {
    // Commander has said already what is wrong, or shown the help that was asked for.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    return report(explain(error, url), error, { terminal, json, env: deps.env });
  }
}

function report(
  explanation: Explanation,
  error: unknown,
  { terminal, json, env }: { terminal: Terminal; json: boolean; env: Environment },
): ExitCode {
  const { exitCode, message, remedy, kind, violations } = explanation;
  if (json) terminal.note(JSON.stringify({ error: { kind, message, remedy, violations } }));
  else
    terminal.note(
      [`${terminal.colors.red("error:")} ${message}`, ...(remedy ? [`  ${remedy}`] : [])].join("\n"),
    );
  if (env["KINDRED_DEBUG"]) terminal.note(String((error as Error).stack ?? error));
  return exitCode;
}
