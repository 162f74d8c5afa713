import type { Context } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import type { AddCommand } from "./command.ts";
import { renderPairs, type Pair } from "../terminal/table.ts";

interface Readiness {
  services: Record<string, string>;
}

export const addHealthCommand: AddCommand = (program, run) => {
  program
    .command("health")
    .alias("status")
    .description("whether each service serves; exit code 69 when one does not")
    .action((_options, command) => run(command, health));
};

async function health(context: Context): Promise<ExitCode> {
  const { terminal, url } = context;
  const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(context.timeoutMs) });
  const { services } = await readinessOf(response, url);
  const allServe = Object.values(services).every((state) => state === "SERVING");
  if (context.json) {
    terminal.json({ url, serving: allServe, services });
  } else {
    const { green, red } = terminal.colors;
    const lines = Object.entries(services).map(([name, state]): Pair =>
      state === "SERVING" ? [name, "serving", green] : [name, state.toLowerCase().replaceAll("_", " "), red],
    );
    terminal.result(renderPairs(terminal, [["origin", url], ...lines]));
  }
  return allServe ? EXIT.ok : EXIT.unavailable;
}

async function readinessOf(response: Response, url: string): Promise<Readiness> {
  const text = await response.text();
  try {
    const content = JSON.parse(text) as Readiness;
    if (typeof content.services === "object") return content;
  } catch {
    // Falls through: something else answers there.
  }
  throw new Failure(`${url} answers (HTTP ${response.status}), but it is not Kindred's origin.`, {
    exitCode: EXIT.unavailable,
    remedy: "Another place: --url or KINDRED_URL",
  });
}
