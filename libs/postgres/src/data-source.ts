import { AsyncLocalStorage } from "node:async_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { KindredError, messageOf } from "@kindred/errors";
import type { Logger } from "@kindred/telemetry";
import type { PoolClient } from "pg";
import type {
  DataSource,
  DataSourceOptions,
  EntitySchema,
  Logger as TypeormLogger,
  MixedList,
} from "typeorm";
import type { Database } from "./database.ts";
import { sqlStateOf, translatePgError } from "./pg-errors.ts";
import type { TransactionOptions } from "./transaction.ts";

export interface DataSourceSetup {
  // TypeORM's own type for "any entity".
  // oxlint-disable-next-line typescript/no-explicit-any
  entities: EntitySchema<any>[];
  /** Migration classes; a name ends in its time in milliseconds, e.g. `CreateImages1700000000000`. */
  migrations: Function[];
}

type ConnectCallback = (error: unknown, client?: PoolClient, release?: (destroy?: unknown) => void) => void;

/** What TypeORM asks of `pg`: a Pool to construct. This one hands out connections that somebody else owns. */
function driverOver(
  acquire: () => Promise<{ client: PoolClient; release: (destroy: boolean) => void }>,
): object {
  const connect = async (callback: ConnectCallback): Promise<void> => {
    let borrowed: Awaited<ReturnType<typeof acquire>>;
    try {
      borrowed = await acquire();
    } catch (error) {
      callback(error);
      return;
    }
    callback(undefined, borrowed.client, (destroy) => borrowed.release(Boolean(destroy)));
  };
  class BorrowedPool {
    connect(callback: ConnectCallback): void {
      void connect(callback);
    }
    /** The owner listens for errors. */
    on(): this {
      return this;
    }
    /** The owner closes. */
    end(callback: (error?: unknown) => void): void {
      callback();
    }
  }
  return { Pool: BorrowedPool };
}

/** TypeORM would write to the console. Statements are logged by the pool, and errors where they are handled. */
function typeormLogger(logger: Logger): TypeormLogger {
  const note = (message: unknown): void => logger.debug({ message }, "typeorm");
  return {
    logQuery: () => {},
    logQueryError: () => {},
    logQuerySlow: () => {},
    logSchemaBuild: note,
    logMigration: note,
    log: (level, message) => (level === "warn" ? logger.warn({ message }, "typeorm") : note(message)),
  };
}

const MIGRATIONS_TABLE = "schema_migrations";

async function newDataSource(driver: object, db: Database, setup: DataSourceSetup): Promise<DataSource> {
  // Loaded here because it takes a while, and most of what imports this library never needs it.
  const typeorm = await import("typeorm");
  const options: DataSourceOptions = {
    type: "postgres",
    driver,
    schema: db.schema,
    applicationName: db.schema,
    entities: setup.entities,
    migrations: setup.migrations as MixedList<Function>,
    migrationsTableName: MIGRATIONS_TABLE,
    migrationsTransactionMode: "each",
    // It would drop the vector indexes, which it does not know.
    synchronize: false,
    installExtensions: false,
    logger: typeormLogger(db.logger),
  };
  try {
    return await new typeorm.DataSource(options).initialize();
  } catch (error) {
    throw translatePgError(error);
  }
}

/**
 * TypeORM over the database's own pool: destroying it leaves the pool open. Tables are in the service's schema.
 * What its repositories throw is TypeORM's; translatePgError knows it.
 */
export async function openDataSource(db: Database, setup: DataSourceSetup): Promise<DataSource> {
  const driver = driverOver(async () => {
    const scoped = transactionClient.getStore();
    if (scoped) return { client: scoped, release: () => {} };
    const client = await db.pool.acquire();
    return { client, release: (destroy) => client.release(destroy) };
  });
  return await newDataSource(driver, db, setup);
}

/** The connection whose transaction TypeORM works in. */
const transactionClient = new AsyncLocalStorage<PoolClient>();

/**
 * Runs work with TypeORM's repositories in one transaction of the database, with its time limit and cancelling. `work` gets the
 * transaction's connection for statements of its own; it must not begin another transaction, and settles before this does.
 * @throws what `runTransaction` throws, for TypeORM's errors as well.
 */
export function repositoryTransaction<T>(
  db: Database,
  work: (client: PoolClient) => Promise<T>,
  options?: TransactionOptions,
): Promise<T> {
  return db.transaction((client) => transactionClient.run(client, () => work(client)), options);
}

/**
 * Runs the migrations that this database has not seen, in the order of their names' times, each in a transaction
 * of its own (a migration with `transaction = false` excepted). Several replicas may do so at once: one migrates,
 * the others wait for it, or look again where the server has no advisory locks.
 * @returns the names of those that were applied now.
 * @throws KindredError failed-precondition naming the migration that failed; those before it stay applied.
 */
export async function migrate(db: Database, setup: Pick<DataSourceSetup, "migrations">): Promise<string[]> {
  let client: PoolClient | undefined;
  try {
    client = await db.pool.acquire();
    // A migration takes as long as it takes.
    await client.query("SET statement_timeout = 0");
    if (!db.capabilities.advisoryLocks) return await runPendingUnlocked(client, db, setup.migrations);
    await lockForMigration(client, db);
    return await runPending(client, db, setup.migrations);
  } catch (error) {
    throw translatePgError(error);
  } finally {
    // Closing the connection gives back the lock, and what the session was set to.
    client?.release(true);
  }
}

async function lockForMigration(client: PoolClient, db: Database): Promise<void> {
  const key = `kindred/migrate/${db.schema}`;
  const { rows } = await client.query<{ locked: boolean }>(
    "SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS locked",
    [key],
  );
  if (rows[0]?.locked) return;
  db.logger.info({ schema: db.schema }, "another process is migrating this schema; waiting for it");
  await client.query("SELECT pg_advisory_lock(hashtextextended($1, 0))", [key]);
}

/** What a migration fails with when another process has just run it: something that it creates is there. */
const ALREADY_THERE = new Set(["23505", "42P06", "42P07", "42701", "42710"]);
const ATTEMPTS = 5;

/**
 * Without a lock two processes may begin the same migration. Each runs in a transaction, so one of them commits and the other fails on what the
 * first has made; looking again, it finds the migration done.
 */
async function runPendingUnlocked(
  client: PoolClient,
  db: Database,
  migrations: Function[],
): Promise<string[]> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await runPending(client, db, migrations);
    } catch (error) {
      if (attempt === ATTEMPTS || !ALREADY_THERE.has(sqlStateOf(error) ?? "")) throw error;
      db.logger.info({ schema: db.schema }, "another process is migrating this schema; looking again");
      await sleep(50 * attempt);
    }
  }
}

async function runPending(client: PoolClient, db: Database, migrations: Function[]): Promise<string[]> {
  // TypeORM gets the one connection that holds the lock: the pool may have no second one.
  const driver = driverOver(() => Promise.resolve({ client, release: () => {} }));
  const dataSource = await newDataSource(driver, db, { entities: [], migrations });
  let current = "its table of migrations";
  try {
    for (const migration of dataSource.migrations) {
      const up = migration.up.bind(migration);
      migration.up = async (runner) => {
        current = migration.name ?? migration.constructor.name;
        await up(runner);
      };
    }
    const applied = await dataSource.runMigrations();
    for (const { name } of applied) db.logger.info({ schema: db.schema, migration: name }, "migrated");
    return applied.map(({ name }) => name);
  } catch (error) {
    const known = translatePgError(error);
    const kind =
      known instanceof KindredError && known.kind === "unavailable" ? known.kind : "failed-precondition";
    throw new KindredError(
      kind,
      `the schema ${db.schema} could not be brought up to date: ${current}: ${messageOf(known)}`,
      {
        cause: error,
      },
    );
  } finally {
    await dataSource.destroy();
  }
}
