import type { Database } from "@kindred/postgres";
import type { Collection } from "../../../domain/collection.ts";
import { COLLECTION } from "../../../domain/collection.ts";
import type { IndexBuilding } from "../../../domain/indexes/index-ports.ts";
import type { IndexUpkeep } from "../../../domain/indexes/index-upkeep.ts";
import type { CallLimits } from "../../../domain/ports.ts";
import { tableSql } from "../sql.ts";
import { buildInTransaction, buildOnline } from "./build-index.ts";
import type { BuildDeps } from "./create-concurrently.ts";
import { withBuildSession } from "./build-session.ts";
import { dropIndex } from "./drop-index.ts";
import { indexSql } from "./index-ddl.ts";
import { knownIndexes } from "./known-indexes.ts";
import { removeLeftovers } from "./leftovers.ts";
import { preflight } from "./preflight.ts";
import { rebuildIndex } from "./rebuild-index.ts";
import { swapIndexes } from "./swap-indexes.ts";
import { findIndex } from "./table-facts.ts";

export interface IndexBuildingDeps extends BuildDeps {
  /** Called when indexes have changed. */
  onChange: () => void;
}

/** Builds, swaps and drops indexes in PostgreSQL. */
export function indexBuilding(deps: IndexBuildingDeps): IndexBuilding & IndexUpkeep {
  const { db } = deps;
  const changing = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } finally {
      deps.onChange();
    }
  };
  return {
    preflight: (collection, forecast, limits) => preflight(deps, collection, forecast, limits),
    build: (collection, spec, name, forecast, step) =>
      changing(() => {
        const build = db.capabilities.createIndexConcurrently ? buildOnline : buildInTransaction;
        return build(deps, { collection, spec, name, forecast }, step);
      }),
    drop: (collection, name, signal) => changing(() => drop(db, collection, name, signal)),
    list: (collection, limits) =>
      db.transaction((client) => knownIndexes(client, collection), { ...limits, readOnly: true }),
    isTaken: (collection, name, limits) => isTaken(db, collection, name, limits),
    swap: (collection, names, signal) => changing(() => swapIndexes(db, collection, names, signal)),
    rebuild: (collection, name, memoryBytes, step) =>
      changing(() => rebuildIndex(deps, collection, name, memoryBytes, step)),
    analyze: (collection, signal) => analyze(db, collection, signal),
    removeLeftovers: (collection, signal = new AbortController().signal) =>
      changing(() => removeLeftovers(db, collection, signal)),
  };
}

async function drop(db: Database, collection: Collection, name: string, signal: AbortSignal): Promise<void> {
  if (db.capabilities.createIndexConcurrently) {
    await withBuildSession(db, `dropping ${name}`, signal, (session) =>
      dropIndex({ db, session, signal }, collection, name),
    );
    return;
  }
  await db.transaction(
    async (client) => {
      if (await findIndex(client, collection, name))
        await client.query(`DROP INDEX IF EXISTS ${indexSql(collection.layout.vectors, name)}`);
    },
    { signal, timeoutMs: 0 },
  );
}

async function isTaken(
  db: Database,
  { layout }: Collection,
  name: string,
  limits: CallLimits,
): Promise<boolean> {
  const { rows } = await db.statement<{ taken: boolean }>(
    {
      text: "SELECT to_regclass(format('%I.%I', $1::text, $2::text)) IS NOT NULL AS taken",
      values: [layout.vectors.schema, name],
    },
    { ...limits, readOnly: true },
  );
  return rows[0]?.taken === true;
}

/** The planner knows what an expression index holds only after ANALYZE. */
async function analyze(db: Database, { name, layout }: Collection, signal: AbortSignal): Promise<void> {
  const tables = [layout.vectors, ...(name === COLLECTION && layout.items ? [layout.items.table] : [])];
  await db.transaction((client) => client.query(`ANALYZE ${tables.map(tableSql).join(", ")}`), {
    signal,
    timeoutMs: 0,
  });
}
