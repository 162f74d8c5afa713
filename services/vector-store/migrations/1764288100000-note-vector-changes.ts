import type { MigrationInterface, QueryRunner } from "typeorm";

/**
 * Which transactions have changed vectors that are kept as JSON: by this, processes know whether what they remember of a table
 * is what is in it. See vector-changes.ts, which puts the trigger on tables.
 */
export class NoteVectorChanges1764288100000 implements MigrationInterface {
  readonly name = "NoteVectorChanges1764288100000";

  async up(runner: QueryRunner): Promise<void> {
    // No foreign key, and no row that two writers share: nobody waits for anybody.
    await runner.query(`
      CREATE TABLE vector_changes (
        relation OID NOT NULL,
        writer XID8 NOT NULL,
        PRIMARY KEY (relation, writer)
      )`);
    // Whoever may write vectors need not have a right to this table. A transaction that asked for a snapshot of its own would fail
    // on a row that somebody else deletes meanwhile; cleaning up is left to the others.
    await runner.query(`
      DO $do$
      BEGIN
        EXECUTE format($create$
          CREATE FUNCTION note_vector_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $body$
          BEGIN
            INSERT INTO %1$I.vector_changes (relation, writer) VALUES (TG_RELID, pg_current_xact_id())
              ON CONFLICT DO NOTHING;
            IF FOUND AND current_setting('transaction_isolation') = 'read committed' THEN
              DELETE FROM %1$I.vector_changes
               WHERE ctid = ANY (ARRAY(
                 SELECT ctid FROM %1$I.vector_changes
                  WHERE relation = TG_RELID AND writer < pg_snapshot_xmin(pg_current_snapshot())
                    FOR UPDATE SKIP LOCKED));
            END IF;
            RETURN NULL;
          END $body$
        $create$, current_schema());
      END $do$`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query("DROP FUNCTION note_vector_change() CASCADE");
    await runner.query("DROP TABLE vector_changes");
  }
}
