import type { MigrationInterface, QueryRunner } from "typeorm";

/** Policies of what may be deleted, long work that survives the process that does it, and how far such work is that deletes generations. */
export class KeepGenerations1765411200000 implements MigrationInterface {
  readonly name = "KeepGenerations1765411200000";

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE retention_policies (
        id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name VARCHAR(63) NOT NULL CONSTRAINT retention_policies_name_key UNIQUE
          CONSTRAINT retention_policies_name_check CHECK (name ~ '^[a-z0-9_-]+$'),
        max_age INTERVAL CONSTRAINT retention_policies_max_age_check CHECK (max_age >= INTERVAL '1 minute'),
        max_count BIGINT CONSTRAINT retention_policies_max_count_check CHECK (max_count >= 0),
        statuses TEXT[] NOT NULL DEFAULT '{}' CONSTRAINT retention_policies_statuses_check
          CHECK (statuses <@ ARRAY['completed', 'failed', 'cancelled']),
        keep_rating SMALLINT CONSTRAINT retention_policies_keep_rating_check CHECK (keep_rating BETWEEN 1 AND 5),
        keep_labels TEXT[] NOT NULL DEFAULT '{}',
        keep_parents BOOLEAN NOT NULL DEFAULT false,
        every INTERVAL CONSTRAINT retention_policies_every_check CHECK (every >= INTERVAL '1 minute'),
        created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
        CONSTRAINT retention_policies_limit_check CHECK (max_age IS NOT NULL OR max_count IS NOT NULL)
      )`);
    await runner.query(`
      CREATE TABLE operations (
        id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        kind TEXT NOT NULL CONSTRAINT operations_kind_check CHECK (kind IN ('retention')),
        subject TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT 'queued' CONSTRAINT operations_state_check
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
    await runner.query(
      "CREATE UNIQUE INDEX operations_one_retention_idx ON operations (subject) WHERE finished_at IS NULL AND kind = 'retention'",
    );
    await runner.query("CREATE INDEX operations_subject_idx ON operations (subject, id)");
    // Every process looks every two seconds for what there is to do.
    await runner.query("CREATE INDEX operations_active_idx ON operations (id) WHERE finished_at IS NULL");
    // Changed in the transactions that delete: what is counted is what is gone, whenever a process ends.
    await runner.query(`
      CREATE TABLE retention_runs (
        operation_id BIGINT CONSTRAINT retention_runs_pkey PRIMARY KEY
          CONSTRAINT retention_runs_operation_id_fkey REFERENCES operations ON DELETE CASCADE,
        horizon_at TIMESTAMPTZ,
        horizon_id BIGINT,
        next_id BIGINT,
        total BIGINT NOT NULL,
        deleted BIGINT NOT NULL DEFAULT 0
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query("DROP TABLE retention_runs");
    await runner.query("DROP TABLE operations");
    await runner.query("DROP TABLE retention_policies");
  }
}
