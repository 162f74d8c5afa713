import { createClient, type Client } from "@connectrpc/connect";
import {
  ListRetentionPoliciesResponseSchema,
  PreviewRetentionResponseSchema,
  PutRetentionPolicyResponseSchema,
  RetentionService,
} from "@kindred/contracts/generation-tracking/v1";
import { isKindredError } from "@kindred/errors";
import type { Command } from "commander";
import { openTransport, translated } from "../../clients.ts";
import type { AddCommand } from "../../commands/command.ts";
import type { Context } from "../../context.ts";
import { EXIT } from "../../exit-codes.ts";
import { Failure } from "../../failure.ts";
import { addWaitOptions, awaitOperation, type WaitOptions } from "../../operations/follow-operation.ts";
import { renderResult } from "../../operations/render-operations.ts";
import { toPlain } from "../../plain.ts";
import { formatCount } from "../../terminal/format.ts";
import { confirmHere } from "../../terminal/confirm.ts";
import { addPolicyOptions, hasPolicy, policyOf, spanOption, type PolicyOptions } from "./policy-options.ts";
import { keptText, limitsText, renderPolicies, renderPreview } from "./render-policy.ts";

const GROUP_HELP = `
A policy says what may go: what is older than --older-than or beyond --keep-newest, and not kept. Generations that run stay. Output
files stay where they are; only what is recorded of them goes.

Examples:
  kindred generations retention preview --older-than 90d --keep-rating 4
  kindred generations retention set old --older-than 90d --keep-rating 4 --keep-label hero --keep-parents --every 24h
  kindred generations retention apply old`;

export const addRetentionCommands: AddCommand = (generations, run) => {
  const retention = generations
    .command("retention")
    .description("policies of what is deleted: see, set, preview, apply")
    .addHelpText("after", GROUP_HELP);
  retention
    .command("list")
    .description("policies, and what was last deleted by each")
    .action((_options, command: Command) => run(command, list));
  addPolicyOptions(
    retention.command("set <policy>").description("make a policy, or replace the one of this name"),
  )
    .option(
      "--every <time>",
      "apply it by itself so often, e.g. 24h or 7d; without: only when asked for",
      spanOption,
    )
    .action((name: string, options: PolicyOptions, command: Command) =>
      run(command, (context) => set(context, name, options)),
    );
  addPolicyOptions(
    retention
      .command("preview [policy]")
      .description(
        "what a policy would delete now: one that is there, or one of these options; deletes nothing",
      ),
  ).action((name: string | undefined, options: PolicyOptions, command: Command) =>
    run(command, (context) => preview(context, name, options)),
  );
  addWaitOptions(
    retention
      .command("apply <policy>")
      .description("delete what a policy lets go; Ctrl+C ends the watching, the deletion goes on")
      .option("-y, --yes", "do not ask"),
  ).action((name: string, options: WaitOptions & { yes?: true }, command: Command) =>
    run(command, (context) => apply(context, name, options)),
  );
  retention
    .command("delete <policy>")
    .description("delete a policy; generations stay, and a deletion that goes on is cancelled")
    .action((name: string, _options, command: Command) => run(command, (context) => remove(context, name)));
};

function clientOf(context: Context): Client<typeof RetentionService> {
  return createClient(RetentionService, openTransport(context));
}

async function list(context: Context): Promise<void> {
  const { terminal } = context;
  const reply = await clientOf(context).listRetentionPolicies({});
  if (context.json) terminal.json(toPlain(ListRetentionPoliciesResponseSchema, reply));
  else if (reply.policies.length === 0) terminal.result(" none yet: kindred generations retention set");
  else terminal.result(renderPolicies(terminal, reply.policies, new Date()));
}

async function set(context: Context, name: string, options: PolicyOptions): Promise<void> {
  const { terminal } = context;
  requireLimit(options);
  const reply = await clientOf(context).putRetentionPolicy({ policy: policyOf(name, options) });
  if (context.json) terminal.json(toPlain(PutRetentionPolicyResponseSchema, reply));
  else if (reply.policy) {
    const kept = keptText(reply.policy);
    terminal.result(
      ` ${reply.created ? "made" : "replaced"} ${name}: ${limitsText(reply.policy)}${kept && `; kept: ${kept}`}`,
    );
  }
}

async function preview(context: Context, name: string | undefined, options: PolicyOptions): Promise<void> {
  const { terminal } = context;
  if (name !== undefined && hasPolicy(options)) {
    throw new Failure("A policy's name and options of another one do not go together.", {
      exitCode: EXIT.usage,
      remedy: `Preview ${name} without options, or the options without a name`,
    });
  }
  if (name === undefined) requireLimit(options);
  const which =
    name === undefined
      ? { case: "policy" as const, value: policyOf("", options) }
      : { case: "name" as const, value: name };
  const reply = await clientOf(context).previewRetention({ which });
  if (context.json) terminal.json(toPlain(PreviewRetentionResponseSchema, reply));
  else terminal.result(renderPreview(terminal, reply));
}

async function apply(context: Context, name: string, options: WaitOptions & { yes?: true }): Promise<void> {
  const { terminal } = context;
  const client = clientOf(context);
  if (!options.yes) {
    const { count, total } = await client.previewRetention({ which: { case: "name", value: name } });
    await confirmHere(
      `Delete ${formatCount(count)} of ${formatCount(total)} generations for good`,
      context,
      false,
    );
  }
  const { operation } = await begun(name, () =>
    client.startRetention({ name, idempotencyKey: options.requestId ?? "" }),
  );
  const ended = await awaitOperation(context, operation, options);
  const result = ended && !context.json ? renderResult(terminal, ended) : undefined;
  if (result !== undefined) terminal.result(result);
}

async function begun<T>(name: string, begin: () => Promise<T>): Promise<T> {
  try {
    return await translated(begin);
  } catch (error) {
    if (!isKindredError(error) || error.kind !== "already-exists") throw error;
    throw new Failure(error.message, {
      remedy: `How far it is: kindred operations list ${name} --active`,
      cause: error,
    });
  }
}

async function remove(context: Context, name: string): Promise<void> {
  await clientOf(context).deleteRetentionPolicy({ name });
  if (context.json) context.terminal.json({ deleted: name });
  else context.terminal.result(` deleted the policy ${name}`);
}

function requireLimit({ olderThan, keepNewest }: PolicyOptions): void {
  if (olderThan !== undefined || keepNewest !== undefined) return;
  throw new Failure("Such a policy lets nothing go.", {
    exitCode: EXIT.usage,
    remedy: "Say what may go: --older-than 90d or --keep-newest 100000",
  });
}
