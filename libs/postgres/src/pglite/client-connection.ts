import { timingSafeEqual } from "node:crypto";
import type { Socket } from "node:net";
import {
  askForPassword,
  fatalError,
  MessageReader,
  query,
  renameStatement,
  sqlOf,
  textOf,
  type Message,
} from "./messages.ts";
import { SettingRefused, type BackendClient, type SharedBackend } from "./shared-backend.ts";
import { startupSettings } from "./startup-options.ts";

export interface ConnectionDeps {
  backend: SharedBackend;
  password: string;
  /** What a client is told once it is let in: AuthenticationOk … ReadyForQuery, as the backend said it at its start. */
  greeting: Buffer;
  /** Called with the error when the backend is gone for good. */
  onBackendLost: (error: unknown) => void;
}

type State = "opening" | "password" | "ready" | "closed";

/** Message types that end a turn: the backend answers, and then (after a Flush: part way) waits for the client. */
const TURN_ENDS = new Set(["Q", "S", "H", "F"]);

const COPY_FROM_STDIN = /(?:^|;)\s*copy\s[^;]*\sfrom\s+stdin\b/i;
// Raised by the backend itself, so that the client's transaction fails as it would for any other error.
const COPY_REFUSAL = query(
  "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '0A000', MESSAGE = 'COPY FROM STDIN is not possible with this server', HINT = 'Use INSERT.'; END $$",
);

let nextId = 1;

/** Serves one client's socket: lets it in with the password, and passes its turns to the backend. */
export function serveClient(socket: Socket, deps: ConnectionDeps): void {
  const id = nextId++;
  const reader = new MessageReader();
  let state: State = "opening";
  let turn: Buffer[] = [];
  let refused = false;
  const client: BackendClient = {
    settings: new Map(),
    statements: new Set(),
    receive: (bytes) => socket.write(Buffer.from(bytes)),
  };

  const end = (sqlState: string, text: string): void => {
    socket.end(fatalError(sqlState, text));
    state = "closed";
  };

  const open = (): boolean => {
    const opening = reader.nextOpening();
    if (!opening) return false;
    if (opening.kind === "encryption") socket.write("N");
    else if (opening.kind === "startup") {
      client.settings = startupSettings(opening.parameters);
      socket.write(askForPassword);
      state = "password";
    } else if (opening.kind === "cancel") {
      // Nothing can interrupt the backend; a server that cannot cancel just closes, by the protocol.
      socket.end();
      state = "closed";
    } else end("0A000", "only protocol 3.0 is spoken here");
    return true;
  };

  const letIn = (message: Message): void => {
    const given = Buffer.from(textOf(message));
    const wanted = Buffer.from(deps.password);
    if (message.type !== "p" || given.length !== wanted.length || !timingSafeEqual(given, wanted)) {
      end("28P01", "password authentication failed");
      return;
    }
    socket.write(deps.greeting);
    state = "ready";
  };

  const rename = (name: string): string => {
    const unique = `c${id}_${name}`;
    client.statements.add(unique);
    return unique;
  };

  const collect = (message: Message): void => {
    if (message.type === "X") {
      socket.end();
      state = "closed";
      return;
    }
    // COPY FROM STDIN would end the backend: it cannot wait for data in the middle of a statement.
    refused ||= COPY_FROM_STDIN.test(sqlOf(message) ?? "");
    turn.push(renameStatement(message, rename));
    if (!TURN_ENDS.has(message.type)) return;
    const bytes = refused ? COPY_REFUSAL : Buffer.concat(turn);
    turn = [];
    refused = false;
    deps.backend.run(client, bytes).catch((error: unknown) => {
      if (error instanceof SettingRefused) end(error.sqlState, error.message);
      else deps.onBackendLost(error);
    });
  };

  /** @returns whether there may be more to do. */
  const step = (): boolean => {
    if (state === "closed") return false;
    if (state === "opening") return open();
    const message = reader.next();
    if (!message) return false;
    if (state === "password") letIn(message);
    else collect(message);
    return true;
  };

  socket.setNoDelay(true);
  socket.on("data", (chunk) => {
    reader.push(chunk);
    try {
      while (step());
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      end("08P01", error.message);
    }
  });
  socket.on("error", () => socket.destroy());
  socket.once("close", () => {
    state = "closed";
    deps.backend.leave(client).catch(deps.onBackendLost);
  });
}
