import type { MigrationInterface, QueryRunner } from "typeorm";

/**
 * When a session was last seen and how long it may be silent, and what somebody found who looked at a cached model's path. Rows that
 * users' own SQL wrote have no idle_timeout, and are never ended by the service.
 */
export class FollowSessions1765324800000 implements MigrationInterface {
  readonly name = "FollowSessions1765324800000";

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE user_sessions
        ALTER COLUMN total_requests TYPE BIGINT,
        ALTER COLUMN total_generations TYPE BIGINT,
        ADD COLUMN last_seen TIMESTAMPTZ,
        ADD COLUMN idle_timeout INTERVAL
          CONSTRAINT user_sessions_idle_timeout_check CHECK (idle_timeout > INTERVAL '0'),
        ADD COLUMN expired BOOLEAN NOT NULL DEFAULT false
          CONSTRAINT user_sessions_expired_check CHECK (NOT expired OR end_time IS NOT NULL)`);
    // None of these has a column that counting changes: each count is an update within the row's page, and costs no index anything.
    await runner.query(
      "CREATE INDEX user_sessions_start_time_idx ON user_sessions (start_time DESC, id DESC)",
    );
    // The list of those that go on, and what is looked through for idle ones.
    await runner.query(
      "CREATE INDEX user_sessions_active_idx ON user_sessions (start_time DESC, id DESC) WHERE end_time IS NULL",
    );
    await runner.query("DROP INDEX user_sessions_user_id_idx");
    await runner.query(
      "CREATE INDEX user_sessions_user_id_idx ON user_sessions (user_id, start_time DESC, id DESC)",
    );
    await runner.query(`
      ALTER TABLE model_cache
        ADD COLUMN present BOOLEAN,
        ADD COLUMN verified_at TIMESTAMPTZ,
        ADD CONSTRAINT model_cache_verified_check CHECK ((present IS NULL) = (verified_at IS NULL))`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query("ALTER TABLE model_cache DROP COLUMN present, DROP COLUMN verified_at");
    await runner.query("DROP INDEX user_sessions_user_id_idx");
    await runner.query("CREATE INDEX user_sessions_user_id_idx ON user_sessions (user_id, start_time DESC)");
    await runner.query("DROP INDEX user_sessions_active_idx");
    await runner.query("DROP INDEX user_sessions_start_time_idx");
    await runner.query(`
      ALTER TABLE user_sessions
        DROP COLUMN last_seen, DROP COLUMN idle_timeout, DROP COLUMN expired,
        ALTER COLUMN total_requests TYPE INTEGER,
        ALTER COLUMN total_generations TYPE INTEGER`);
  }
}
