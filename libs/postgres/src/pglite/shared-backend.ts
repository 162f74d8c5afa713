import type { PGlite } from "@electric-sql/pglite";
import { messageOf } from "@kindred/errors";
import { closeStatement, finalState, query } from "./messages.ts";

/** One client's session on the shared backend, as far as the backend has to know it. */
export interface BackendClient {
  /** Settings that the client asked for when it connected; the database's own are added when it first does something. */
  settings: Map<string, string>;
  /** Names, as the backend knows them, of the statements that it prepared. */
  statements: Set<string>;
  /** Takes the backend's replies. */
  receive(bytes: Uint8Array): void;
}

/** A setting that the client asked for at connecting is not known, or its value is bad. */
export class SettingRefused extends Error {
  override readonly name = "SettingRefused";
  readonly sqlState: string;
  constructor(cause: unknown) {
    super(messageOf(cause), { cause });
    const code = Error.isError(cause) && "code" in cause ? cause.code : undefined;
    this.sqlState = typeof code === "string" ? code : "22023";
  }
}

interface Turn {
  client: BackendClient;
  bytes: Uint8Array;
  done: () => void;
  failed: (error: unknown) => void;
}

/**
 * Lets several clients take turns at the one backend that PGlite has. A turn is everything up to a point where the
 * backend is ready for the next query, so that no client's Bind can meet another one's Parse; a client in a
 * transaction keeps the backend until that ends. Each client finds the settings that it connected with.
 */
export class SharedBackend implements AsyncDisposable {
  readonly #db: PGlite;
  #waiting: Turn[] = [];
  #running: Promise<void> | undefined;
  #closed = false;
  /** In a transaction, or in the middle of an extended query. */
  #owner: BackendClient | undefined;
  /** Whose settings the backend has. */
  #current: BackendClient | undefined;
  readonly #prepared = new WeakSet<BackendClient>();
  /** All names that any client has set at connecting. */
  readonly #settingNames = new Set<string>();

  constructor(db: PGlite) {
    this.#db = db;
  }

  /**
   * Runs one turn when it is this client's; the reply goes to its `receive`.
   * @throws SettingRefused; anything else means that the backend is gone for good.
   */
  run(client: BackendClient, bytes: Uint8Array): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    if (this.#closed) return Promise.resolve();
    this.#waiting.push({ client, bytes, done: resolve, failed: reject });
    this.#next();
    return promise;
  }

  /** The client is gone: what it had not begun is dropped, its transaction rolled back. */
  async leave(client: BackendClient): Promise<void> {
    this.#waiting = this.#waiting.filter((turn) => turn.client !== client);
    // A turn of its own may be running, and be the beginning of a transaction.
    await this.#running;
    const silent = { ...client, receive: () => {} };
    if (this.#owner === client) {
      this.#owner = silent;
      // A Sync ends an extended query that was cut short.
      await this.run(silent, Buffer.concat([closeStatement(""), query("ROLLBACK")]));
    }
    for (const name of client.statements) await this.run(silent, closeStatement(name));
  }

  /** Lets the turn that runs come to its end; no other begins. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const turn of this.#waiting.splice(0)) turn.done();
    await this.#running;
  }

  /** Begins the next turn, unless one runs or only those wait whose turn it is not. */
  #next(): void {
    if (this.#running) return;
    const index = this.#waiting.findIndex((turn) => !this.#owner || turn.client === this.#owner);
    const [turn] = index < 0 ? [] : this.#waiting.splice(index, 1);
    if (turn) this.#running = this.#perform(turn);
  }

  async #perform(turn: Turn): Promise<void> {
    try {
      await this.#take(turn);
      turn.done();
    } catch (error) {
      turn.failed(error);
    }
    this.#running = undefined;
    this.#next();
  }

  async #take({ client, bytes }: Turn): Promise<void> {
    if (this.#owner !== client) await this.#switchTo(client);
    let tail: Uint8Array = new Uint8Array();
    await this.#db.execProtocolRawStream(bytes, {
      onRawData: (chunk) => {
        tail = chunk.length >= 6 ? chunk.slice(-6) : Buffer.concat([tail, chunk]).subarray(-6);
        client.receive(chunk);
      },
    });
    this.#owner = finalState(tail) === "idle" ? undefined : client;
  }

  async #switchTo(client: BackendClient): Promise<void> {
    if (!this.#prepared.has(client)) {
      this.#prepared.add(client);
      const ofDatabase = await this.#databaseSettings();
      client.settings = new Map([...ofDatabase, ...client.settings]);
      for (const name of client.settings.keys()) this.#settingNames.add(name);
    }
    if (this.#current === client || sameSettings(this.#current?.settings, client.settings)) return;
    for (const name of this.#settingNames) {
      await this.#set(name, client.settings.get(name));
    }
    this.#current = client;
  }

  async #set(name: string, value: string | undefined): Promise<void> {
    try {
      if (value === undefined) await this.#db.exec(`RESET ${quoteName(name)}`);
      else await this.#db.query("SELECT set_config($1, $2, false)", [name, value]);
    } catch (error) {
      this.#settingNames.delete(name);
      this.#current = undefined;
      throw new SettingRefused(error);
    }
  }

  /** ALTER DATABASE … SET, which a session gets when it begins: here the session is as old as the process. */
  async #databaseSettings(): Promise<Map<string, string>> {
    const { rows } = await this.#db.query<{ setting: string }>(`
      SELECT unnest(s.setconfig) AS setting
        FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
       WHERE s.setrole = 0 AND d.datname = current_database()`);
    return new Map(
      rows.map(({ setting }) => {
        const equals = setting.indexOf("=");
        return [setting.slice(0, equals), setting.slice(equals + 1)];
      }),
    );
  }
}

/** `a.b` as `"a"."b"`. */
function quoteName(name: string): string {
  return name
    .split(".")
    .map((part) => `"${part.replaceAll('"', '""')}"`)
    .join(".");
}

function sameSettings(a: ReadonlyMap<string, string> | undefined, b: ReadonlyMap<string, string>): boolean {
  return a !== undefined && a.size === b.size && [...a].every(([name, value]) => b.get(name) === value);
}
