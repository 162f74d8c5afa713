import type { MigrationInterface, QueryRunner } from "typeorm";

/** The name that a collection's policy wants its index to have; NULL: by the store's rule. */
export class IndexName1764720000000 implements MigrationInterface {
  readonly name = "IndexName1764720000000";

  async up(runner: QueryRunner): Promise<void> {
    await runner.query("ALTER TABLE collections ADD COLUMN index_name TEXT");
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query("ALTER TABLE collections DROP COLUMN index_name");
  }
}
