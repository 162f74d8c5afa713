import type { MigrationInterface, QueryRunner } from "typeorm";

/**
 * One row for each model in a cache, so that its uses can be counted up. Tables that were written by hand may have several; they
 * become the first of them, with the sum of their uses. Rows whose key is not complete are nobody's and stay as they are.
 */
export class AccountForModelCache1764288000000 implements MigrationInterface {
  readonly name = "AccountForModelCache1764288000000";

  async up(runner: QueryRunner): Promise<void> {
    await runner.query("ALTER TABLE model_cache ALTER COLUMN access_count TYPE BIGINT");
    await runner.query(`
      UPDATE model_cache AS kept
         SET size_mb = merged.size_mb, last_accessed = merged.last_accessed,
             access_count = merged.access_count, created_at = merged.created_at
        FROM (SELECT min(id) AS id,
                     (array_agg(size_mb ORDER BY last_accessed DESC NULLS LAST, id DESC)
                        FILTER (WHERE size_mb IS NOT NULL))[1] AS size_mb,
                     max(last_accessed) AS last_accessed,
                     COALESCE(sum(access_count), 0)::bigint AS access_count,
                     min(created_at) AS created_at
                FROM model_cache
               WHERE model_type IS NOT NULL AND model_name IS NOT NULL AND cache_path IS NOT NULL
               GROUP BY model_type, model_name, cache_path
              HAVING count(*) > 1) AS merged
       WHERE kept.id = merged.id`);
    await runner.query(`
      DELETE FROM model_cache AS later
       USING model_cache AS first
       WHERE (later.model_type, later.model_name, later.cache_path)
             = (first.model_type, first.model_name, first.cache_path)
         AND later.id > first.id`);
    await runner.query(
      "CREATE UNIQUE INDEX model_cache_key_idx ON model_cache (model_type, model_name, cache_path)",
    );
    // Its columns are the first ones of the new index.
    await runner.query("DROP INDEX model_cache_model_idx");
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query("CREATE INDEX model_cache_model_idx ON model_cache (model_type, model_name)");
    await runner.query("DROP INDEX model_cache_key_idx");
    await runner.query("ALTER TABLE model_cache ALTER COLUMN access_count TYPE INTEGER");
  }
}
