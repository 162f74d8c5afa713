import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { SessionSchema, type Session } from "@kindred/contracts/generation-tracking/v1";
import { Option, type Command } from "commander";
import { openClients } from "../clients.ts";
import type { AddCommand } from "../commands/command.ts";
import { dateOption, integerOption } from "../commands/parse.ts";
import type { Context } from "../context.ts";
import { toPlain } from "../plain.ts";
import { addRepeatOptions, repeatedly, type RepeatOptions } from "../terminal/repeatedly.ts";
import { renderSessions } from "./render-sessions.ts";

const PAGE = 1_000;

interface ListOptions extends RepeatOptions {
  limit: number;
  user?: string;
  active?: boolean;
  ended?: boolean;
  since?: Date;
  until?: Date;
}

export const addListCommand: AddCommand = (sessions, run) => {
  addRepeatOptions(sessions.command("list"))
    .description("sessions, the latest begun first")
    .option("-n, --limit <count>", "how many", integerOption(1, 100_000), 20)
    .option("--user <id>", "only this user's")
    .option("--active", "only those that go on")
    .addOption(new Option("--ended", "only those that have ended").conflicts("active"))
    .option("--since <time>", "only those begun since, e.g. 2026-07-01 or 2026-07-01T12:00:00Z", dateOption)
    .option("--until <time>", "only those begun before", dateOption)
    .action((options: ListOptions, command: Command) => run(command, (context) => list(context, options)));
};

async function list(context: Context, options: ListOptions): Promise<void> {
  await repeatedly(context, options, async (signal) => {
    const found = await latest(context, options, signal);
    if (context.json) return { sessions: found.map((session) => toPlain(SessionSchema, session)) };
    return found.length === 0 ? " no session that matches" : renderSessions(context.terminal, found);
  });
}

async function latest(context: Context, options: ListOptions, signal: AbortSignal): Promise<Session[]> {
  const { limit, user, active, ended, since, until } = options;
  const client = openClients(context).sessions;
  const found: Session[] = [];
  let pageToken = "";
  do {
    const page = await client.listSessions(
      {
        pageSize: Math.min(limit - found.length, PAGE),
        pageToken,
        userId: user ?? "",
        ...((active || ended) && { active: active ?? false }),
        ...(since && { startedAfter: timestampFromDate(since) }),
        ...(until && { startedBefore: timestampFromDate(until) }),
      },
      { signal },
    );
    found.push(...page.sessions);
    pageToken = page.nextPageToken;
  } while (pageToken !== "" && found.length < limit);
  return found;
}
