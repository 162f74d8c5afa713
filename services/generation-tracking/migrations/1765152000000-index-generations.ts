import type { MigrationInterface, QueryRunner } from "typeorm";

/** Longest beginning of a prompt whose words are found: all of 1 MiB of words might be more than a tsvector holds. */
const WORDS_FROM_CHARACTERS = 65_536;

/** Columns of which lists want one value or a range of them, newest first. */
const FILTERED = [
  "model_name",
  "model_hash",
  "sampler",
  "session_id",
  "batch_id",
  "parent_id",
  "seed",
  "rating",
  "num_inference_steps",
  "guidance_scale",
  "generation_time_ms",
  "memory_usage_mb",
  "width",
  "height",
] as const;

/** Columns of which lists want a part of the text, where the server has pg_trgm. */
const PARTLY_READ = ["prompt", "negative_prompt", "error_message"] as const;

/**
 * An index for each condition of a filter and each order of a list. What a list shows first, it finds first: behind the column's value they
 * are in the order of newest first, or can be read without the table, which is some ten times as large.
 *
 * The new column has the table written anew, which stops everybody else meanwhile: some 10 seconds for a million rows, and some minutes
 * for the indexes.
 */
export class IndexGenerations1765152000000 implements MigrationInterface {
  readonly name = "IndexGenerations1765152000000";

  async up(runner: QueryRunner): Promise<void> {
    await addPromptWords(runner);
    // Nobody reads these beside the index; estimates of how many prompts have a text are as fine as this.
    await runner.query("ALTER TABLE generations ALTER COLUMN prompt SET STATISTICS 500");
    // Statistics and reports read all of it, and nothing else.
    await runner.query("DROP INDEX generations_created_at_idx");
    await runner.query(`
      CREATE INDEX generations_created_at_idx ON generations (created_at DESC, id DESC)
        INCLUDE (status, model_name, generation_time_ms, memory_usage_mb)`);
    for (const column of FILTERED) {
      await runner.query(`
        CREATE INDEX generations_${column}_idx ON generations (${column}, created_at DESC, id DESC) WHERE ${column} IS NOT NULL`);
    }
    // Equal values go by id, newest first, upwards and downwards.
    for (const column of ["generation_time_ms", "memory_usage_mb", "rating"]) {
      await runner.query(`
        CREATE INDEX generations_${column}_descending_idx ON generations (${column}, id) WHERE ${column} IS NOT NULL`);
      await runner.query(`
        CREATE INDEX generations_${column}_ascending_idx ON generations (${column}, id DESC) WHERE ${column} IS NOT NULL`);
    }
    // Of what begins so the newest are wanted, which may be among many: they are told by the index alone.
    await runner.query(`
      CREATE INDEX generations_output_path_idx ON generations (output_path text_pattern_ops, created_at DESC, id DESC)
        WHERE output_path IS NOT NULL`);
    await runner.query("CREATE INDEX generations_labels_idx ON generations USING gin (labels)");
    await runner.query("CREATE INDEX generations_prompt_words_idx ON generations USING gin (prompt_words)");
    await runner.query(
      "CREATE INDEX generations_model_config_idx ON generations USING gin (model_config jsonb_path_ops)",
    );
    // Names of members at any depth: that one is there, whatever it is, is not to be learnt from the index of values.
    await runner.query(`
      CREATE INDEX generations_model_config_keys_idx ON generations USING gin
        (jsonb_path_query_array(model_config, '$.** ? (@.type() == "object").keyvalue().key'))`);
    await addTrigrams(runner);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const column of PARTLY_READ)
      await runner.query(`DROP INDEX IF EXISTS generations_${column}_trigrams_idx`);
    for (const name of ["model_config_keys", "model_config", "prompt_words", "labels", "output_path"])
      await runner.query(`DROP INDEX generations_${name}_idx`);
    for (const column of ["generation_time_ms", "memory_usage_mb", "rating"]) {
      await runner.query(`DROP INDEX generations_${column}_ascending_idx`);
      await runner.query(`DROP INDEX generations_${column}_descending_idx`);
    }
    for (const column of FILTERED) await runner.query(`DROP INDEX generations_${column}_idx`);
    await runner.query("DROP INDEX generations_created_at_idx");
    await runner.query("CREATE INDEX generations_created_at_idx ON generations (created_at DESC, id DESC)");
    await runner.query("ALTER TABLE generations ALTER COLUMN prompt SET STATISTICS -1");
    await runner.query("DROP TRIGGER generations_index_prompt ON generations");
    await runner.query("DROP FUNCTION generations_index_prompt()");
    await runner.query("ALTER TABLE generations DROP COLUMN prompt_words");
  }
}

/**
 * Generated for the rows that there are, which is one pass over them, and kept by a trigger from then on: beside a trigger before updates, PostgreSQL
 * makes generated columns anew in each of them. A report of progress would write the words of a long prompt once more, and touch every index.
 */
async function addPromptWords(runner: QueryRunner): Promise<void> {
  const words = (prompt: string): string =>
    `to_tsvector('simple'::regconfig, left(${prompt}, ${WORDS_FROM_CHARACTERS}))`;
  await runner.query(
    `ALTER TABLE generations ADD COLUMN prompt_words tsvector GENERATED ALWAYS AS (${words("prompt")}) STORED`,
  );
  await runner.query("ALTER TABLE generations ALTER COLUMN prompt_words DROP EXPRESSION");
  await runner.query(`
    CREATE FUNCTION generations_index_prompt() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    BEGIN
      NEW.prompt_words := ${words("NEW.prompt")};
      RETURN NEW;
    END $$`);
  await runner.query(`
    CREATE TRIGGER generations_index_prompt BEFORE INSERT OR UPDATE OF prompt, prompt_words ON generations
      FOR EACH ROW EXECUTE FUNCTION generations_index_prompt()`);
}

/** Not every server has the extension, and not every role may create it: what needs it is then answered by reading rows. */
async function addTrigrams(runner: QueryRunner): Promise<void> {
  await runner.query(`
    DO $$
    BEGIN
      IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_trgm') THEN
        CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA public;
      END IF;
    EXCEPTION WHEN insufficient_privilege OR undefined_file OR feature_not_supported OR duplicate_object OR unique_violation THEN
      RAISE NOTICE 'pg_trgm could not be created: %', SQLERRM;
    END $$`);
  const installed = (await runner.query(`
    SELECT quote_ident(n.nspname) AS schema
      FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_trgm'`)) as {
    schema: string;
  }[];
  const schema = installed[0]?.schema;
  if (schema === undefined) return;
  for (const column of PARTLY_READ) {
    await runner.query(`
      CREATE INDEX generations_${column}_trigrams_idx ON generations USING gin (${column} ${schema}.gin_trgm_ops)
        WHERE ${column} IS NOT NULL`);
  }
}
