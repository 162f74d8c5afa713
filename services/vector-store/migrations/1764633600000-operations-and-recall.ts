import type { MigrationInterface, QueryRunner } from "typeorm";

/**
 * Long work that survives the process that does it; what was built and measured of indexes; and what collections need for that: policies
 * in full, partitions, and the space that one is being moved into.
 */
export class OperationsAndRecall1764633600000 implements MigrationInterface {
  readonly name = "OperationsAndRecall1764633600000";

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE collections
        ADD COLUMN index_quantization TEXT
          CONSTRAINT collections_index_quantization_check CHECK (index_quantization IN ('none', 'halfvec', 'binary')),
        ADD COLUMN index_maintenance TEXT NOT NULL DEFAULT 'automatic'
          CONSTRAINT collections_index_maintenance_check CHECK (index_maintenance IN ('manual', 'automatic')),
        ADD COLUMN index_min_rows BIGINT,
        ADD COLUMN hash_partitions INTEGER,
        ADD COLUMN vectors_generation INTEGER NOT NULL DEFAULT 1,
        ADD COLUMN reembedding_space_id TEXT REFERENCES embedding_spaces (id),
        DROP CONSTRAINT collections_index_kind_check,
        ADD CONSTRAINT collections_index_kind_check CHECK (index_kind IN ('auto', 'none', 'hnsw', 'ivfflat', 'diskann'))`);
    await runner.query("UPDATE collections SET index_maintenance = 'manual' WHERE kind = 'registered'");
    await runner.query(`
      CREATE TABLE operations (
        id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        kind TEXT NOT NULL CHECK (kind IN ('index_build', 'index_rebuild', 'index_drop', 'recall_tuning', 'reembedding')),
        collection TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT 'queued'
          CHECK (state IN ('queued', 'running', 'cancelling', 'succeeded', 'failed', 'cancelled')),
        request_id TEXT CONSTRAINT operations_request_id_key UNIQUE,
        automatic BOOLEAN NOT NULL,
        spec JSONB NOT NULL,
        checkpoint JSONB NOT NULL DEFAULT '{}',
        result JSONB,
        failure_kind TEXT,
        failure_message TEXT,
        notes JSONB NOT NULL DEFAULT '[]',
        phase TEXT NOT NULL DEFAULT '',
        phase_number INTEGER NOT NULL DEFAULT 0,
        phase_count INTEGER NOT NULL DEFAULT 0,
        measured_since TIMESTAMPTZ,
        measured_since_done BIGINT NOT NULL DEFAULT 0,
        done BIGINT NOT NULL DEFAULT 0,
        total BIGINT NOT NULL DEFAULT 0,
        unit TEXT NOT NULL DEFAULT '',
        attempts INTEGER NOT NULL DEFAULT 0,
        setbacks INTEGER NOT NULL DEFAULT 0,
        owner TEXT,
        lease_until TIMESTAMPTZ,
        cancel_requested BOOLEAN NOT NULL DEFAULT false,
        created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
        started_at TIMESTAMPTZ,
        updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
        finished_at TIMESTAMPTZ
      )`);
    // One at a time: an index is not built while its table is being replaced. Tuning only reads.
    await runner.query(`
      CREATE UNIQUE INDEX operations_one_change_idx ON operations (collection)
       WHERE finished_at IS NULL AND kind <> 'recall_tuning'`);
    await runner.query(`
      CREATE UNIQUE INDEX operations_one_tuning_idx ON operations (collection)
       WHERE finished_at IS NULL AND kind = 'recall_tuning'`);
    await runner.query("CREATE INDEX operations_collection_idx ON operations (collection, id)");
    // Every process looks every two seconds for what there is to do.
    await runner.query("CREATE INDEX operations_active_idx ON operations (id) WHERE finished_at IS NULL");
    await runner.query(`
      CREATE TABLE index_builds (
        id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        collection TEXT NOT NULL REFERENCES collections (name) ON DELETE CASCADE ON UPDATE CASCADE,
        index_name TEXT NOT NULL,
        index_oid BIGINT NOT NULL,
        spec JSONB NOT NULL,
        rows BIGINT NOT NULL,
        size_bytes BIGINT NOT NULL,
        build_ms DOUBLE PRECISION NOT NULL,
        workers INTEGER NOT NULL,
        dimensions INTEGER NOT NULL,
        built_at TIMESTAMPTZ NOT NULL DEFAULT now()
      )`);
    await runner.query(
      "CREATE INDEX index_builds_collection_idx ON index_builds (collection, index_name, id)",
    );
    await runner.query(`
      CREATE TABLE recall_curves (
        collection TEXT NOT NULL REFERENCES collections (name) ON DELETE CASCADE ON UPDATE CASCADE,
        index_name TEXT NOT NULL,
        index_oid BIGINT NOT NULL,
        k INTEGER NOT NULL,
        selectivity DOUBLE PRECISION NOT NULL,
        points JSONB NOT NULL,
        exact_ms DOUBLE PRECISION NOT NULL,
        queries INTEGER NOT NULL,
        recent_queries INTEGER NOT NULL,
        rows BIGINT NOT NULL,
        tuned_at TIMESTAMPTZ NOT NULL DEFAULT now(),
        PRIMARY KEY (collection, index_name, k, selectivity)
      )`);
    await runner.query(`
      CREATE TABLE recall_measurements (
        id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        collection TEXT NOT NULL REFERENCES collections (name) ON DELETE CASCADE ON UPDATE CASCADE,
        index_name TEXT NOT NULL,
        index_oid BIGINT NOT NULL,
        k INTEGER NOT NULL,
        effort INTEGER NOT NULL,
        selectivity DOUBLE PRECISION NOT NULL,
        recall DOUBLE PRECISION NOT NULL,
        lower DOUBLE PRECISION NOT NULL,
        upper DOUBLE PRECISION NOT NULL,
        confidence DOUBLE PRECISION NOT NULL,
        queries INTEGER NOT NULL,
        recent_queries INTEGER NOT NULL,
        index_ms DOUBLE PRECISION NOT NULL,
        exact_ms DOUBLE PRECISION NOT NULL,
        recall_target DOUBLE PRECISION,
        rows BIGINT NOT NULL,
        measured_at TIMESTAMPTZ NOT NULL DEFAULT now()
      )`);
    await runner.query(
      "CREATE INDEX recall_measurements_collection_idx ON recall_measurements (collection, index_name, id)",
    );
    await runner.query(`
      CREATE TABLE recall_events (
        id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        collection TEXT NOT NULL REFERENCES collections (name) ON DELETE CASCADE ON UPDATE CASCADE,
        measurement_id BIGINT NOT NULL REFERENCES recall_measurements (id) ON DELETE CASCADE,
        met BOOLEAN NOT NULL,
        recall_target DOUBLE PRECISION NOT NULL,
        created_at TIMESTAMPTZ NOT NULL DEFAULT now()
      )`);
    await runner.query("CREATE INDEX recall_events_collection_idx ON recall_events (collection, id)");
    await runner.query(`
      CREATE TABLE recent_queries (
        id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        collection TEXT NOT NULL REFERENCES collections (name) ON DELETE CASCADE ON UPDATE CASCADE,
        space_id TEXT,
        vector BYTEA NOT NULL,
        asked_at TIMESTAMPTZ NOT NULL DEFAULT now()
      )`);
    await runner.query("CREATE INDEX recent_queries_collection_idx ON recent_queries (collection, id)");
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(
      "DROP TABLE recent_queries, recall_events, recall_measurements, recall_curves, index_builds, operations",
    );
    await runner.query("UPDATE collections SET index_kind = 'auto' WHERE index_kind = 'diskann'");
    await runner.query(`
      ALTER TABLE collections
        DROP CONSTRAINT collections_index_kind_check,
        ADD CONSTRAINT collections_index_kind_check CHECK (index_kind IN ('auto', 'none', 'hnsw', 'ivfflat')),
        DROP COLUMN index_quantization, DROP COLUMN index_maintenance, DROP COLUMN index_min_rows,
        DROP COLUMN hash_partitions, DROP COLUMN vectors_generation, DROP COLUMN reembedding_space_id`);
  }
}
