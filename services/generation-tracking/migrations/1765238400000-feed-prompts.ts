import type { MigrationInterface, QueryRunner } from "typeorm";

/**
 * The outbox of prompts: the generations of which the vector store's collection of prompts has to be told, one row each. What it is told is
 * what the generation is when somebody gets to it: its prompt, or that it is gone. Triggers write the rows, in the transaction that changes the
 * generations, whoever changes them. All generations of before are in it at first.
 */
export class FeedPrompts1765238400000 implements MigrationInterface {
  readonly name = "FeedPrompts1765238400000";

  async up(runner: QueryRunner): Promise<void> {
    // No foreign key: rows of generations that are gone are those that count.
    await runner.query(`
      CREATE TABLE generation_outbox (
        generation_id BIGINT CONSTRAINT generation_outbox_pkey PRIMARY KEY,
        deleted BOOLEAN NOT NULL DEFAULT FALSE,
        enqueued_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
        due_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
        owner UUID,
        changed BOOLEAN NOT NULL DEFAULT FALSE,
        failures INTEGER NOT NULL DEFAULT 0 CONSTRAINT generation_outbox_failures_check CHECK (failures >= 0),
        error TEXT,
        failed_at TIMESTAMPTZ
      )`);
    // Due ones are taken from here; those that were set aside are not in it.
    await runner.query(
      "CREATE INDEX generation_outbox_waiting_idx ON generation_outbox (generation_id DESC) WHERE failed_at IS NULL",
    );
    // What metrics ask for every few seconds, also while there are millions.
    await runner.query(
      "CREATE INDEX generation_outbox_enqueued_idx ON generation_outbox (enqueued_at) WHERE failed_at IS NULL",
    );
    await runner.query(
      "CREATE INDEX generation_outbox_failed_idx ON generation_outbox (failed_at) WHERE failed_at IS NOT NULL",
    );
    await runner.query("INSERT INTO generation_outbox (generation_id) SELECT id FROM generations");
    await addStatementTrigger(runner, "insert", "AFTER INSERT", "NEW", "FALSE");
    await addStatementTrigger(runner, "delete", "AFTER DELETE", "OLD", "TRUE");
    // By row, so that the many updates that do not touch the prompt cost nothing.
    await runner.query(`
      CREATE FUNCTION generations_update_outbox() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
      BEGIN
        ${noting("SELECT NEW.id, FALSE UNION SELECT OLD.id, TRUE WHERE OLD.id <> NEW.id")}
        RETURN NULL;
      END $$`);
    await runner.query(`
      CREATE TRIGGER generations_update_outbox AFTER UPDATE OF id, prompt ON generations FOR EACH ROW
        WHEN ((OLD.id, OLD.prompt) IS DISTINCT FROM (NEW.id, NEW.prompt)) EXECUTE FUNCTION generations_update_outbox()`);
    await runner.query(`
      CREATE FUNCTION generations_truncate_outbox() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
      BEGIN
        ${noting("SELECT id, TRUE FROM generations")}
        RETURN NULL;
      END $$`);
    await runner.query(`
      CREATE TRIGGER generations_truncate_outbox BEFORE TRUNCATE ON generations
        FOR EACH STATEMENT EXECUTE FUNCTION generations_truncate_outbox()`);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const event of ["insert", "delete", "update", "truncate"]) {
      await runner.query(`DROP TRIGGER generations_${event}_outbox ON generations`);
      await runner.query(`DROP FUNCTION generations_${event}_outbox()`);
    }
    await runner.query("DROP TABLE generation_outbox");
  }
}

/** By statement and not by row: a COPY of many rows is one. */
async function addStatementTrigger(
  runner: QueryRunner,
  event: "insert" | "delete",
  when: string,
  rows: "NEW" | "OLD",
  deleted: "TRUE" | "FALSE",
): Promise<void> {
  await runner.query(`
    CREATE FUNCTION generations_${event}_outbox() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    BEGIN
      ${noting(`SELECT id, ${deleted} FROM touched`)}
      RETURN NULL;
    END $$`);
  await runner.query(`
    CREATE TRIGGER generations_${event}_outbox ${when} ON generations REFERENCING ${rows} TABLE AS touched
      FOR EACH STATEMENT EXECUTE FUNCTION generations_${event}_outbox()`);
}

/**
 * Notes generations, in the order of their ids, so that no two wait for each other. One that is noted already, and perhaps on its way, keeps its
 * owner: nobody else may tell of it at the same time, since the two messages could overtake each other.
 */
function noting(idsAndDeleted: string): string {
  return `
    INSERT INTO generation_outbox AS noted (generation_id, deleted)
    SELECT * FROM (${idsAndDeleted}) AS wanted (id, deleted) ORDER BY id
    ON CONFLICT (generation_id) DO UPDATE
       SET deleted = excluded.deleted, changed = TRUE, failures = 0, error = NULL, failed_at = NULL;`;
}
