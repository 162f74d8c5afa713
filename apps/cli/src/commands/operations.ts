import {
  CancelOperationResponseSchema,
  ListOperationsResponseSchema,
  OperationSchema,
} from "@kindred/contracts/vector-store/v1";
import { InvalidArgumentError, type Command } from "commander";
import { openClients } from "../clients.ts";
import type { Context } from "../context.ts";
import { stateOf, titleOf } from "../operations/describe-operation.ts";
import { addPatienceOption, followOperation } from "../operations/follow-operation.ts";
import { renderOperation, renderOperations, renderResult } from "../operations/render-operations.ts";
import { toPlain } from "../plain.ts";
import type { AddCommand } from "./command.ts";
import { integerOption } from "./parse.ts";

interface ListOptions {
  active?: boolean;
  limit: number;
}

const GROUP_HELP = `
Building an index, tuning it, or moving a collection into another embedding space is an operation: the service writes it down in the
database, does it in the background, and goes on with it after a crash or a restart. Nobody has to wait or stay connected.`;

const WATCH_HELP = `
Ctrl+C ends the watching; the operation goes on. With --json every change is one line of JSON.
Exit code 0 when it succeeded, 1 when it failed or was cancelled.

Examples:
  kindred operations watch 17
  kindred operations watch 17 --json | jq -r '[.phase, .done, .total] | @tsv'`;

export const addOperationCommands: AddCommand = (program, run) => {
  const operations = program
    .command("operations")
    .description("long work: index builds, tuning, re-embedding; see it, watch it, end it")
    .addHelpText("after", GROUP_HELP);
  operations
    .command("list [collection]")
    .description("operations, the latest first")
    .option("--active", "only those that have not ended")
    .option("--limit <count>", "at most so many, 1 to 1000", integerOption(1, 1_000), 20)
    .action((collection: string | undefined, options: ListOptions, command: Command) =>
      run(command, (context) => list(context, collection ?? "", options)),
    );
  operations
    .command("show")
    .argument("<id>", "as list shows it", idArgument)
    .description("everything that is known of one")
    .action((id: bigint, _options, command: Command) => run(command, (context) => show(context, id)));
  addPatienceOption(
    operations
      .command("watch")
      .argument("<id>", "as list shows it", idArgument)
      .description("watch one until its end: phase, progress, rate, time left"),
  )
    .addHelpText("after", WATCH_HELP)
    .action((id: bigint, options: { patience: number }, command: Command) =>
      run(command, (context) => watch(context, id, options.patience)),
    );
  operations
    .command("cancel")
    .argument("<id>", "as list shows it", idArgument)
    .description("ask one to end; what it has made so far is removed")
    .action((id: bigint, _options, command: Command) => run(command, (context) => cancel(context, id)));
};

const MAX_INT64 = 2n ** 63n - 1n;

function idArgument(raw: string): bigint {
  if (!/^\d{1,19}$/.test(raw) || BigInt(raw) < 1n || BigInt(raw) > MAX_INT64)
    throw new InvalidArgumentError("It must be the id of an operation: kindred operations list");
  return BigInt(raw);
}

async function list(
  context: Context,
  collection: string,
  { active = false, limit }: ListOptions,
): Promise<void> {
  const { terminal } = context;
  const reply = await openClients(context).operations.listOperations({
    collection,
    active,
    pageSize: limit,
  });
  if (context.json) terminal.json(toPlain(ListOperationsResponseSchema, reply));
  else if (reply.operations.length === 0) terminal.result(active ? " nothing is under way" : " none yet");
  else {
    const more = reply.nextPageToken === "" ? "" : `\n ${terminal.colors.dim("there are more: --limit")}`;
    terminal.result(`${renderOperations(terminal, reply.operations, new Date())}${more}`);
  }
}

async function show(context: Context, id: bigint): Promise<void> {
  const { terminal } = context;
  const { operation } = await openClients(context).operations.getOperation({ id });
  if (!operation) return;
  if (context.json) terminal.json(toPlain(OperationSchema, operation));
  else terminal.result(renderOperation(terminal, operation, new Date()));
}

async function watch(context: Context, id: bigint, patience: number): Promise<void> {
  const { operation: found } = await openClients(context).operations.getOperation({ id });
  if (!found) return;
  const operation = await followOperation(context, found, { patience, everyChange: true });
  if (context.json) return;
  const result = renderResult(context.terminal, operation);
  if (result !== undefined) context.terminal.result(result);
}

async function cancel(context: Context, id: bigint): Promise<void> {
  const { terminal } = context;
  const reply = await openClients(context).operations.cancelOperation({ id });
  if (context.json) terminal.json(toPlain(CancelOperationResponseSchema, reply));
  else if (reply.operation) terminal.result(` ${titleOf(reply.operation)}: ${stateOf(reply.operation)}`);
}
