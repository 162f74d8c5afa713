import { timestampDate } from "@bufbuild/protobuf/wkt";
import { ReportProgressResponseSchema } from "@kindred/contracts/generation-tracking/v1";
import type { Command } from "commander";
import { openClients } from "../clients.ts";
import type { AddCommand } from "../commands/command.ts";
import { integerOption, MAX_INT32 } from "../commands/parse.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { toPlain } from "../plain.ts";
import { idArgument } from "./arguments.ts";

interface ProgressOptions {
  done?: number;
  total?: number;
  message?: string;
}

export const addProgressCommand: AddCommand = (generations, run) => {
  generations
    .command("progress")
    .argument("<id>", "as start shows it", idArgument)
    .description("say that a generation is alive, and how far it is; fails when it does not run any more")
    .option("--done <steps>", "steps that are done", integerOption(0, MAX_INT32))
    .option("--total <steps>", "steps in all, where that is known", integerOption(0, MAX_INT32))
    .option("--message <text>", "what it is doing, in a few words")
    .action((id: bigint, options: ProgressOptions, command: Command) =>
      run(command, (context) => report(context, id, options)),
    );
};

async function report(
  context: Context,
  id: bigint,
  { done, total, message }: ProgressOptions,
): Promise<void> {
  if (done === undefined && (total !== undefined || message !== undefined)) {
    throw new Failure("--total and --message say how far it is together with --done.", {
      exitCode: EXIT.usage,
      remedy: "Give --done, or none of them to say only that it is alive.",
    });
  }
  const reply = await openClients(context).generations.reportProgress({
    id,
    ...(done !== undefined && { progress: { done, total: total ?? 0, message: message ?? "" } }),
  });
  if (context.json) context.terminal.json(toPlain(ReportProgressResponseSchema, reply));
  else if (reply.leaseExpiresAt) {
    const until = timestampDate(reply.leaseExpiresAt).toLocaleTimeString("sv-SE");
    context.terminal.result(` generation ${id} runs; the next report has to come before ${until}`);
  }
}
