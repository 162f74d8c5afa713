import type { MigrationInterface, QueryRunner } from "typeorm";

/** What a note of a change is made from: the new key, the old one, or both. */
const NOTE_NEW = (key: string): string =>
  `IF TG_OP <> 'DELETE' THEN INSERT INTO %1$I.reembedding_changes (collection, key) VALUES (TG_ARGV[0], NEW.${key}::text); END IF;`;
const NOTE_OLD = (key: string): string =>
  `IF TG_OP = 'DELETE' OR (TG_OP = 'UPDATE' AND OLD.${key} IS DISTINCT FROM NEW.${key}) THEN
     INSERT INTO %1$I.reembedding_changes (collection, key) VALUES (TG_ARGV[0], OLD.${key}::text);
   END IF;`;

/**
 * The log of what changes while a collection is moved into another embedding space, and the functions of the triggers that write it.
 * Triggers are on a collection's tables only while it is being moved; their argument is its name.
 */
const FUNCTIONS: Record<string, string> = {
  note_reembedding_item: `${NOTE_NEW("key")} ${NOTE_OLD("key")}`,
  note_reembedding_embedding: `${NOTE_NEW("id")} ${NOTE_OLD("id")}`,
  note_reembedding_document: `
    IF TG_OP = 'UPDATE' THEN
      IF OLD.document IS NOT DISTINCT FROM NEW.document AND OLD.key = NEW.key THEN RETURN NULL; END IF;
    END IF;
    ${NOTE_NEW("key")} ${NOTE_OLD("key")}`,
  note_reembedding_description: `
    IF OLD.description IS DISTINCT FROM NEW.description THEN
      INSERT INTO %1$I.reembedding_changes (collection, key)
        SELECT TG_ARGV[0], e.id::text FROM %1$I.embeddings e WHERE e.image_id = NEW.id;
    END IF;`,
  note_reembedding_truncation: `
    INSERT INTO %1$I.reembedding_changes (collection, key) VALUES (TG_ARGV[0], NULL);`,
  refuse_retired_vectors: `
    RAISE EXCEPTION 'the vectors of the collection %% are in another table now', TG_ARGV[0] USING ERRCODE = 'KV001';`,
};

export class Reembedding1764633700000 implements MigrationInterface {
  readonly name = "Reembedding1764633700000";

  async up(runner: QueryRunner): Promise<void> {
    // Appended to only, so that no writer waits for another one here. A row without a key: the table was truncated.
    await runner.query(`
      CREATE TABLE reembedding_changes (
        id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        collection TEXT NOT NULL,
        key TEXT
      )`);
    // Whoever may write vectors need not have a right to the log.
    for (const [name, body] of Object.entries(FUNCTIONS)) {
      await runner.query(`
        DO $do$
        BEGIN
          EXECUTE format($create$
            CREATE FUNCTION ${name}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $body$
            BEGIN ${body} RETURN NULL; END $body$
          $create$, current_schema());
        END $do$`);
    }
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const name of Object.keys(FUNCTIONS)) await runner.query(`DROP FUNCTION ${name}() CASCADE`);
    await runner.query("DROP TABLE reembedding_changes");
  }
}
