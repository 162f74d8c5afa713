import type { Database } from "@kindred/postgres";

const INTERVAL_MS = 5000;

/**
 * Asks the database every few seconds whether it answers, and tells when that changes. It begins with a database that
 * does.
 */
export function watchDatabase(db: Database, onChange: (answers: boolean) => void): AsyncDisposable {
  let answers = true;
  let probing: Promise<void> | undefined;
  const probe = async (): Promise<void> => {
    let now = true;
    try {
      await db.query("SELECT 1");
    } catch (error) {
      now = false;
      if (answers) db.logger.warn({ err: error }, "the database does not answer");
    }
    if (now !== answers) onChange((answers = now));
  };
  const timer = setInterval(() => {
    probing ??= probe().finally(() => {
      probing = undefined;
    });
  }, INTERVAL_MS).unref();
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await probing;
    },
  };
}
