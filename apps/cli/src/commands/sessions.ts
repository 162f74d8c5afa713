import type { JsonObject } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { SessionSchema, type Session } from "@kindred/contracts/generation-tracking/v1";
import type { Command } from "commander";
import { openClients } from "../clients.ts";
import type { Context } from "../context.ts";
import { toPlain } from "../plain.ts";
import { addListCommand } from "../sessions/list.ts";
import { renderSession } from "../sessions/render-sessions.ts";
import type { AddCommand } from "./command.ts";
import { durationOption, integerOption, jsonOption } from "./parse.ts";

interface StartOptions {
  user?: string;
  data?: JsonObject;
  idleTimeout?: number;
}

interface TouchOptions {
  requests: number;
  data?: JsonObject;
}

const GROUP_HELP = `
A session is what somebody asks for from when to when: requests are counted by touch, generations when they are recorded or started
with its id. A session that nobody touches for some time is ended.

Examples:
  kindred sessions start studio --user ada --data '{"theme": "dark"}'
  kindred sessions touch studio --requests 3
  kindred sessions list --active --json | jq '.sessions[].session_id'`;

export const addSessionCommands: AddCommand = (program, run) => {
  const sessions = program
    .command("sessions")
    .description("who asks for what, from when to when")
    .addHelpText("after", GROUP_HELP);
  sessions
    .command("start [id]")
    .description("begin a session (default: with a new id); one that goes on is shown as it is")
    .option("--user <id>", "whose it is")
    .option("--data <json>", "whatever is to be kept with it, a JSON object", jsonOption)
    .option("--idle-timeout <time>", "how long it may be silent, 1s to 720h", durationOption("1s", "720h"))
    .action((id: string | undefined, options: StartOptions, command: Command) =>
      run(command, (context) => start(context, id ?? "", options)),
    );
  sessions
    .command("touch <id>")
    .description("count requests, and say that it is alive")
    .option("--requests <count>", "how many", integerOption(0, 1_000_000), 1)
    .option("--data <json>", "members to set in its data, a JSON object; null removes one", jsonOption)
    .action((id: string, { requests, data }: TouchOptions, command: Command) =>
      run(command, async (context) => {
        const touch = { sessionId: id, requests, ...(data && { sessionData: data }) };
        show(context, (await openClients(context).sessions.touchSession(touch)).session);
      }),
    );
  sessions
    .command("end <id>")
    .description("end it; one that has ended is shown as it is")
    .action((id: string, _options, command: Command) =>
      run(command, async (context) => {
        show(context, (await openClients(context).sessions.endSession({ sessionId: id })).session);
      }),
    );
  sessions
    .command("show <id>")
    .description("everything that is known of one")
    .action((id: string, _options, command: Command) =>
      run(command, async (context) => {
        show(context, (await openClients(context).sessions.getSession({ sessionId: id })).session);
      }),
    );
  addListCommand(sessions, run);
};

async function start(context: Context, id: string, { user, data, idleTimeout }: StartOptions): Promise<void> {
  const { terminal } = context;
  const { session, existing } = await openClients(context).sessions.startSession({
    sessionId: id,
    userId: user ?? "",
    ...(data && { sessionData: data }),
    ...(idleTimeout !== undefined && { idleTimeout: durationFromMs(Math.ceil(idleTimeout)) }),
  });
  if (context.json && session) terminal.json({ ...toPlain(SessionSchema, session), existing });
  else {
    show(context, session);
    if (existing) terminal.note(" it goes on since before; nothing was changed");
  }
}

function show({ terminal, json }: Context, session: Session | undefined): void {
  if (!session) return;
  if (json) terminal.json(toPlain(SessionSchema, session));
  else terminal.result(renderSession(terminal, session));
}
