import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Operation } from "@kindred/contracts/common/v1";
import { fromConnectError } from "@kindred/rpc";
import { InvalidArgumentError, Option, type Command } from "commander";
import type { Context } from "../context.ts";
import {
  OPERATION_SERVICES,
  operationCalls,
  plainOperation,
  readOperationId,
  serviceOf,
  type OperationId,
  type OperationServiceName,
} from "../operations/any-operation.ts";
import { stateOf, titleOf } from "../operations/describe-operation.ts";
import { addPatienceOption, followOperation } from "../operations/follow-operation.ts";
import { renderOperation, renderOperations, renderResult } from "../operations/render-operations.ts";
import type { AddCommand } from "./command.ts";
import { integerOption } from "./parse.ts";

interface ListOptions {
  service?: OperationServiceName;
  active?: boolean;
  limit: number;
}

const GROUP_HELP = `
Building an index, tuning it, moving a collection into another embedding space, or applying a retention policy is an operation: the
service writes it down in the database, does it in the background, and goes on with it after a crash or a restart. Nobody has to wait or
stay connected. Ids that begin with g are those of the service that records generations.`;

const WATCH_HELP = `
Ctrl+C ends the watching; the operation goes on. With --json every change is one line of JSON.
Exit code 0 when it succeeded, 1 when it failed or was cancelled.

Examples:
  kindred operations watch 17
  kindred operations watch 17 --json | jq -r '[.phase, .done, .total] | @tsv'`;

export const addOperationCommands: AddCommand = (program, run) => {
  const operations = program
    .command("operations")
    .description("long work: index builds, tuning, re-embedding, retention; see it, watch it, end it")
    .addHelpText("after", GROUP_HELP);
  operations
    .command("list [name]")
    .description("operations, the latest first; of a collection or a policy only, where its name is given")
    .addOption(new Option("--service <service>", "only those of this service").choices(OPERATION_SERVICES))
    .option("--active", "only those that have not ended")
    .option("--limit <count>", "at most so many, 1 to 1000", integerOption(1, 1_000), 20)
    .action((name: string | undefined, options: ListOptions, command: Command) =>
      run(command, (context) => list(context, name ?? "", options)),
    );
  operations
    .command("show")
    .argument("<id>", "as list shows it", idArgument)
    .description("everything that is known of one")
    .action((id: OperationId, _options, command: Command) => run(command, (context) => show(context, id)));
  addPatienceOption(
    operations
      .command("watch")
      .argument("<id>", "as list shows it", idArgument)
      .description("watch one until its end: phase, progress, rate, time left"),
  )
    .addHelpText("after", WATCH_HELP)
    .action((id: OperationId, options: { patience: number }, command: Command) =>
      run(command, (context) => watch(context, id, options.patience)),
    );
  operations
    .command("cancel")
    .argument("<id>", "as list shows it", idArgument)
    .description("ask one to end; what it has made so far is removed, what it has deleted stays deleted")
    .action((id: OperationId, _options, command: Command) => run(command, (context) => cancel(context, id)));
};

function idArgument(raw: string): OperationId {
  const id = readOperationId(raw);
  if (!id) throw new InvalidArgumentError("It must be the id of an operation: kindred operations list");
  return id;
}

async function list(
  context: Context,
  subject: string,
  { service, active = false, limit }: ListOptions,
): Promise<void> {
  const { terminal } = context;
  const services = service ? [service] : OPERATION_SERVICES;
  const answers = await Promise.allSettled(
    services.map((each) => operationCalls(context, each).list({ subject, active, pageSize: limit })),
  );
  const pages = answers.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []));
  // What one service knows is worth something while another one is away.
  const away = services.filter((_, i) => {
    const answer = answers[i];
    if (answer?.status !== "rejected") return false;
    if (pages.length === 0 || fromConnectError(answer.reason).kind !== "unavailable") throw answer.reason;
    return true;
  });
  for (const each of away)
    terminal.note(`  the ${each} service cannot be reached: what it does is not listed   (kindred health)`);
  const found = pages.flatMap((page) => page.operations).toSorted((a, b) => askedAt(b) - askedAt(a));
  const operations = found.slice(0, limit);
  const more = found.length > limit || pages.some((page) => page.more);
  if (context.json) {
    terminal.json({
      operations: operations.map((each) => ({ service: serviceOf(each), ...plainOperation(each) })),
      more,
      unavailable: away,
    });
  } else if (operations.length === 0) terminal.result(active ? " nothing is under way" : " none yet");
  else {
    const note = more ? `\n ${terminal.colors.dim("there are more: --limit")}` : "";
    terminal.result(`${renderOperations(terminal, operations, new Date())}${note}`);
  }
}

function askedAt({ createdAt }: Operation): number {
  return createdAt ? timestampMs(createdAt) : 0;
}

async function show(context: Context, { service, id }: OperationId): Promise<void> {
  const { terminal } = context;
  const operation = await operationCalls(context, service).get(id);
  if (!operation) return;
  if (context.json) terminal.json(plainOperation(operation));
  else terminal.result(renderOperation(terminal, operation, new Date()));
}

async function watch(context: Context, { service, id }: OperationId, patience: number): Promise<void> {
  const found = await operationCalls(context, service).get(id);
  if (!found) return;
  const operation = await followOperation(context, found, { patience, everyChange: true });
  if (context.json) return;
  const result = renderResult(context.terminal, operation);
  if (result !== undefined) context.terminal.result(result);
}

async function cancel(context: Context, { service, id }: OperationId): Promise<void> {
  const { terminal } = context;
  const operation = await operationCalls(context, service).cancel(id);
  if (!operation) return;
  if (context.json) terminal.json({ operation: plainOperation(operation) });
  else terminal.result(` ${titleOf(operation)}: ${stateOf(operation)}`);
}
