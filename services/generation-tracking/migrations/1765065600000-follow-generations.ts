import type { MigrationInterface, QueryRunner } from "typeorm";

/**
 * Generations that run, and what else is known of them. Rows of before ended when they were recorded. Examples and outputs get tables of their
 * own, so that an image or a file leads to its generations; retrieved_examples and output_path stay as users' own SQL knows them, and triggers
 * keep the tables in step with them, whoever writes.
 */
export class FollowGenerations1765065600000 implements MigrationInterface {
  readonly name = "FollowGenerations1765065600000";

  async up(runner: QueryRunner): Promise<void> {
    await addColumns(runner);
    await addExamples(runner);
    await addOutputs(runner);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query("DROP TRIGGER generations_insert_outputs ON generations");
    await runner.query("DROP TRIGGER generations_update_outputs ON generations");
    await runner.query("DROP TRIGGER generations_insert_examples ON generations");
    await runner.query("DROP TRIGGER generations_update_examples ON generations");
    await runner.query("DROP TRIGGER generations_complete_row ON generations");
    await runner.query("DROP FUNCTION generations_insert_outputs()");
    await runner.query("DROP FUNCTION generations_update_outputs()");
    await runner.query("DROP FUNCTION generations_insert_examples()");
    await runner.query("DROP FUNCTION generations_update_examples()");
    await runner.query("DROP FUNCTION generations_complete_row()");
    await runner.query("DROP TABLE generation_outputs");
    await runner.query("DROP TABLE generation_examples");
    await runner.query("DROP FUNCTION generation_examples_of(jsonb)");
    await runner.query("ALTER TABLE generations RESET (fillfactor)");
    await runner.query("DELETE FROM generations WHERE status = 'running'");
    await runner.query(`
      ALTER TABLE generations
        DROP CONSTRAINT generations_lease_check,
        DROP CONSTRAINT generations_finished_check,
        DROP CONSTRAINT generations_status_check,
        ADD CONSTRAINT generations_status_check CHECK (status IN ('completed', 'failed', 'cancelled')),
        DROP COLUMN negative_prompt, DROP COLUMN sampler, DROP COLUMN width, DROP COLUMN height,
        DROP COLUMN model_name, DROP COLUMN model_hash, DROP COLUMN batch_id, DROP COLUMN parent_id,
        DROP COLUMN session_id, DROP COLUMN labels, DROP COLUMN rating, DROP COLUMN retrieval,
        DROP COLUMN progress_done, DROP COLUMN progress_total, DROP COLUMN progress_message, DROP COLUMN progress_at,
        DROP COLUMN lease_ms, DROP COLUMN lease_expires_at, DROP COLUMN finished_at`);
  }
}

async function addColumns(runner: QueryRunner): Promise<void> {
  await runner.query(`
    ALTER TABLE generations
      ADD COLUMN negative_prompt TEXT,
      ADD COLUMN sampler VARCHAR(100),
      ADD COLUMN width INTEGER CONSTRAINT generations_width_check CHECK (width BETWEEN 1 AND 65536),
      ADD COLUMN height INTEGER CONSTRAINT generations_height_check CHECK (height BETWEEN 1 AND 65536),
      ADD COLUMN model_name VARCHAR(200),
      ADD COLUMN model_hash VARCHAR(128),
      ADD COLUMN batch_id VARCHAR(100),
      ADD COLUMN parent_id BIGINT,
      ADD COLUMN session_id VARCHAR(100),
      ADD COLUMN labels TEXT[] NOT NULL DEFAULT '{}',
      ADD COLUMN rating SMALLINT CONSTRAINT generations_rating_check CHECK (rating BETWEEN 1 AND 5),
      ADD COLUMN retrieval JSONB,
      ADD COLUMN progress_done INTEGER CONSTRAINT generations_progress_done_check CHECK (progress_done >= 0),
      ADD COLUMN progress_total INTEGER CONSTRAINT generations_progress_total_check CHECK (progress_total >= 0),
      ADD COLUMN progress_message VARCHAR(200),
      ADD COLUMN progress_at TIMESTAMPTZ,
      ADD COLUMN lease_ms INTEGER CONSTRAINT generations_lease_ms_check CHECK (lease_ms > 0),
      ADD COLUMN lease_expires_at TIMESTAMPTZ,
      ADD COLUMN finished_at TIMESTAMPTZ`);
  await runner.query(`
    UPDATE generations SET finished_at = created_at, model_name = ${modelNameOf("model_config")}`);
  await runner.query(`
    ALTER TABLE generations
      DROP CONSTRAINT generations_status_check,
      ADD CONSTRAINT generations_status_check CHECK (status IN ('running', 'completed', 'failed', 'cancelled')),
      ADD CONSTRAINT generations_finished_check CHECK ((status = 'running') = (finished_at IS NULL)),
      ADD CONSTRAINT generations_lease_check CHECK (
        CASE WHEN status = 'running' THEN lease_expires_at IS NOT NULL AND lease_ms IS NOT NULL
             ELSE lease_expires_at IS NULL END)`);
  // A report of progress changes no indexed column, so that it need not touch the indexes where its page has room. That is why there is none on
  // lease_expires_at: those that run are few, and found by their status.
  await runner.query("ALTER TABLE generations SET (fillfactor = 85)");
  // What users' own SQL leaves out, and what follows from it.
  await runner.query(`
    CREATE FUNCTION generations_complete_row() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    BEGIN
      IF NEW.model_name IS NULL THEN
        NEW.model_name := ${modelNameOf("NEW.model_config")};
      END IF;
      IF NEW.finished_at IS NULL AND NEW.status <> 'running' THEN
        NEW.finished_at := CASE TG_OP WHEN 'INSERT' THEN NEW.created_at ELSE clock_timestamp() END;
        NEW.lease_expires_at := NULL;
      END IF;
      RETURN NEW;
    END $$`);
  await runner.query(`
    CREATE TRIGGER generations_complete_row BEFORE INSERT OR UPDATE OF model_name, model_config, status ON generations
      FOR EACH ROW EXECUTE FUNCTION generations_complete_row()`);
}

/** The member "model", or else "name", where it is a text. */
function modelNameOf(config: string): string {
  const member = (name: string): string =>
    `CASE jsonb_typeof(${config} -> '${name}') WHEN 'string' THEN NULLIF(left(${config} ->> '${name}', 200), '') END`;
  return `COALESCE(${member("model")}, ${member("name")})`;
}

async function addExamples(runner: QueryRunner): Promise<void> {
  await runner.query(`
    CREATE TABLE generation_examples (
      generation_id BIGINT NOT NULL CONSTRAINT generation_examples_generation_id_fkey REFERENCES generations ON DELETE CASCADE,
      position INTEGER NOT NULL,
      rank INTEGER NOT NULL,
      image_id BIGINT,
      image_path VARCHAR(500) NOT NULL,
      caption TEXT NOT NULL,
      similarity DOUBLE PRECISION NOT NULL,
      created_at TIMESTAMPTZ NOT NULL,
      CONSTRAINT generation_examples_pkey PRIMARY KEY (generation_id, position)
    )`);
  // Whatever the JSON holds: what is no list of objects is none, what they lack is empty. Numbers beyond a type's range are left out too.
  await runner.query(`
    CREATE FUNCTION generation_examples_of(examples jsonb)
      RETURNS TABLE ("position" integer, rank integer, image_id bigint, image_path text, caption text, similarity float8)
      LANGUAGE sql IMMUTABLE AS $$
      SELECT at::integer,
             CASE WHEN (e ->> 'rank') ~ '^[0-9]{1,9}$' AND (e ->> 'rank')::integer > 0 THEN (e ->> 'rank')::integer ELSE at::integer END,
             CASE WHEN (e ->> 'image_id') ~ '^[0-9]{1,19}$' AND (e ->> 'image_id')::numeric BETWEEN 1 AND 9223372036854775807
                  THEN (e ->> 'image_id')::bigint END,
             CASE jsonb_typeof(e -> 'image_path') WHEN 'string' THEN left(e ->> 'image_path', 500) ELSE '' END,
             CASE jsonb_typeof(e -> 'caption') WHEN 'string' THEN e ->> 'caption' ELSE '' END,
             CASE WHEN jsonb_typeof(e -> 'similarity') = 'number' AND abs((e ->> 'similarity')::numeric) BETWEEN 1e-300 AND 1e300
                  THEN (e ->> 'similarity')::float8 ELSE 0 END
        FROM jsonb_array_elements(CASE jsonb_typeof(examples) WHEN 'array' THEN examples ELSE '[]' END)
             WITH ORDINALITY AS element (e, at)
       WHERE jsonb_typeof(e) = 'object'
    $$`);
  const columns = "generation_id, position, rank, image_id, image_path, caption, similarity, created_at";
  const values = "e.position, e.rank, e.image_id, e.image_path, e.caption, e.similarity";
  await runner.query(`
    INSERT INTO generation_examples (${columns})
    SELECT g.id, ${values}, g.created_at FROM generations g CROSS JOIN generation_examples_of(g.retrieved_examples) e`);
  // The uses of an image, the latest first.
  await runner.query(
    "CREATE INDEX generation_examples_image_id_idx ON generation_examples (image_id, created_at DESC, generation_id DESC)",
  );
  await runner.query(
    "CREATE INDEX generation_examples_image_path_idx ON generation_examples (image_path, created_at DESC, generation_id DESC)",
  );
  // By statement and not by row: a COPY of many rows is one.
  await runner.query(`
    CREATE FUNCTION generations_insert_examples() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    BEGIN
      INSERT INTO generation_examples (${columns})
      SELECT g.id, ${values}, g.created_at FROM inserted g CROSS JOIN generation_examples_of(g.retrieved_examples) e;
      RETURN NULL;
    END $$`);
  await runner.query(`
    CREATE TRIGGER generations_insert_examples AFTER INSERT ON generations REFERENCING NEW TABLE AS inserted
      FOR EACH STATEMENT EXECUTE FUNCTION generations_insert_examples()`);
  await runner.query(`
    CREATE FUNCTION generations_update_examples() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    BEGIN
      DELETE FROM generation_examples WHERE generation_id = NEW.id;
      INSERT INTO generation_examples (${columns})
      SELECT NEW.id, ${values}, NEW.created_at FROM generation_examples_of(NEW.retrieved_examples) e;
      RETURN NULL;
    END $$`);
  await runner.query(`
    CREATE TRIGGER generations_update_examples AFTER UPDATE OF retrieved_examples, created_at ON generations FOR EACH ROW
      WHEN ((OLD.retrieved_examples, OLD.created_at) IS DISTINCT FROM (NEW.retrieved_examples, NEW.created_at))
      EXECUTE FUNCTION generations_update_examples()`);
}

async function addOutputs(runner: QueryRunner): Promise<void> {
  await runner.query(`
    CREATE TABLE generation_outputs (
      generation_id BIGINT NOT NULL CONSTRAINT generation_outputs_generation_id_fkey REFERENCES generations ON DELETE CASCADE,
      position INTEGER NOT NULL CONSTRAINT generation_outputs_position_check CHECK (position >= 1),
      path VARCHAR(500) NOT NULL CONSTRAINT generation_outputs_path_check CHECK (path <> ''),
      size_bytes BIGINT CONSTRAINT generation_outputs_size_bytes_check CHECK (size_bytes >= 0),
      sha256 BYTEA CONSTRAINT generation_outputs_sha256_check CHECK (length(sha256) = 32),
      state VARCHAR(20) NOT NULL DEFAULT 'unknown' CONSTRAINT generation_outputs_state_check
        CHECK (state IN ('unknown', 'kept', 'missing', 'changed')),
      verified_at TIMESTAMPTZ,
      CONSTRAINT generation_outputs_pkey PRIMARY KEY (generation_id, position)
    )`);
  await runner.query(`
    INSERT INTO generation_outputs (generation_id, position, path)
    SELECT id, 1, output_path FROM generations WHERE output_path <> ''`);
  await runner.query(
    "CREATE INDEX generation_outputs_state_idx ON generation_outputs (state, generation_id DESC)",
  );
  await runner.query(`
    CREATE FUNCTION generations_insert_outputs() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    BEGIN
      INSERT INTO generation_outputs (generation_id, position, path)
      SELECT id, 1, output_path FROM inserted WHERE output_path <> '';
      RETURN NULL;
    END $$`);
  await runner.query(`
    CREATE TRIGGER generations_insert_outputs AFTER INSERT ON generations REFERENCING NEW TABLE AS inserted
      FOR EACH STATEMENT EXECUTE FUNCTION generations_insert_outputs()`);
  // Another path is another file: what was known of the one before does not hold of it.
  await runner.query(`
    CREATE FUNCTION generations_update_outputs() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    BEGIN
      DELETE FROM generation_outputs WHERE generation_id = NEW.id AND position = 1;
      IF NEW.output_path <> '' THEN
        INSERT INTO generation_outputs (generation_id, position, path) VALUES (NEW.id, 1, NEW.output_path);
      END IF;
      RETURN NULL;
    END $$`);
  await runner.query(`
    CREATE TRIGGER generations_update_outputs AFTER UPDATE OF output_path ON generations FOR EACH ROW
      WHEN (OLD.output_path IS DISTINCT FROM NEW.output_path) EXECUTE FUNCTION generations_update_outputs()`);
}
