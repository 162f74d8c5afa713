import { KindredError } from "@kindred/errors";
import type { PoolClient, QueryResult, QueryResultRow } from "pg";
import { breaksConnection, translatePgError } from "./pg-errors.ts";
import {
  abortError,
  beginStatements,
  limitOf,
  watchAbort,
  type TransactionDeps,
  type TransactionOptions,
} from "./transaction.ts";

export interface SingleStatement {
  text: string;
  values: readonly unknown[];
  /**
   * Keeps the statement prepared in each session under this name, which is that of no other text. Only where
   * `capabilities.preparedStatements`, and never more than some hundred: sessions keep them until they end.
   */
  name?: string | undefined;
}

/** What `pg` has and its types lack. */
interface PipelinedClient {
  pipeline: boolean;
  connection: { stream: { cork(): void; uncork(): void } };
}

/**
 * One statement in a transaction of its own, with settings of its own: as runTransaction, in one round trip instead of three.
 * BEGIN, the statement and COMMIT are sent together; when one fails, the server passes over what follows and COMMIT rolls back.
 */
export async function runSingleStatement<R extends QueryResultRow>(
  deps: TransactionDeps,
  statement: SingleStatement,
  options: TransactionOptions = {},
): Promise<QueryResult<R>> {
  const begin = beginStatements(options);
  const signal = limitOf(options);
  if (signal?.aborted) throw abortError(signal.reason);
  let client: PoolClient;
  try {
    client = await deps.pool.acquire(signal);
  } catch (error) {
    throw signal?.aborted ? abortError(signal.reason) : translatePgError(error);
  }
  const watch = watchAbort(deps, client, signal);
  let reusable = false;
  try {
    signal?.throwIfAborted();
    const result = await sendTogether<R>(client, begin, statement);
    // A request to cancel may still be on its way to this connection: nobody else should meet it.
    signal?.throwIfAborted();
    reusable = true;
    return result;
  } catch (error) {
    if (signal?.aborted) throw abortError(signal.reason);
    reusable = !breaksConnection(error);
    throw translatePgError(error);
  } finally {
    watch.stop();
    client.release(!reusable);
  }
}

async function sendTogether<R extends QueryResultRow>(
  client: PoolClient,
  begin: string,
  { text, values, name }: SingleStatement,
): Promise<QueryResult<R>> {
  const pipelined = client as unknown as PipelinedClient;
  const { stream } = pipelined.connection;
  let answers: [Promise<QueryResult>, Promise<QueryResult<R>>, Promise<QueryResult>];
  pipelined.pipeline = true;
  stream.cork();
  try {
    answers = [
      client.query(begin),
      client.query<R>({ text, values: [...values], ...(name === undefined ? {} : { name }) }),
      client.query("COMMIT"),
    ];
  } finally {
    stream.uncork();
  }
  const [begun, result, ended] = await Promise.allSettled(answers);
  pipelined.pipeline = false;
  if (begun.status === "rejected") throw begun.reason;
  if (result.status === "rejected") throw result.reason;
  if (ended.status === "rejected") throw ended.reason;
  if (ended.value.command === "ROLLBACK") {
    throw new KindredError("aborted", "a statement of the transaction failed, and so nothing of it was kept");
  }
  return result.value;
}
