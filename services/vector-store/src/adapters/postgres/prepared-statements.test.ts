import { describe, expect, test } from "@jest/globals";
import type { Database, SingleStatement } from "@kindred/postgres";
import { preparedStatements } from "./prepared-statements.ts";

/** A database that notes the names, and fails those that it is told to fail. */
function fakeDatabase(options: { prepared?: boolean; failNamed?: string } = {}) {
  const names: (string | undefined)[] = [];
  const db = {
    capabilities: { preparedStatements: options.prepared ?? true },
    statement: ({ name }: SingleStatement) => {
      names.push(name);
      if (name !== undefined && options.failNamed !== undefined) {
        return Promise.reject(Object.assign(new Error("no"), { code: options.failNamed, severity: "ERROR" }));
      }
      return Promise.resolve({ rows: [], rowCount: 0 });
    },
  } as unknown as Pick<Database, "statement" | "capabilities">;
  return { db, names };
}

const run = (statements: ReturnType<typeof preparedStatements>, text: string, planner = "exact") =>
  statements.run({ text, values: [] }, planner, {});

describe("names", () => {
  test("a text has one name for each of the ways to plan it", async () => {
    const { db, names } = fakeDatabase();
    const statements = preparedStatements(db);
    await run(statements, "SELECT 1");
    await run(statements, "SELECT 1");
    await run(statements, "SELECT 1", "hnsw");
    await run(statements, "SELECT 2");
    expect(names[0]).toMatch(/^kindred_.{22}$/);
    expect(names[1]).toBe(names[0]);
    expect(new Set(names).size).toBe(3);
  });

  test("there are only so many, and the first ones keep theirs", async () => {
    const { db, names } = fakeDatabase();
    const statements = preparedStatements(db, 1);
    for (const text of ["SELECT 1", "SELECT 2", "SELECT 1"]) await run(statements, text);
    expect(names).toEqual([expect.any(String), undefined, names[0]]);
  });

  test("there are none where sessions do not last", async () => {
    const { db, names } = fakeDatabase({ prepared: false });
    await run(preparedStatements(db), "SELECT 1");
    expect(names).toEqual([undefined]);
  });
});

describe("prepared statements that cannot be used", () => {
  test("a stale one is run without a name once, and has another name afterwards", async () => {
    const { db, names } = fakeDatabase({ failNamed: "0A000" });
    const statements = preparedStatements(db);
    await run(statements, "SELECT 1");
    await run(statements, "SELECT 1");
    expect(names).toEqual([expect.any(String), undefined, expect.any(String), undefined]);
    expect(names[2]).not.toBe(names[0]);
  });

  test.each(["26000", "42P05"])("after %s nothing is named any more", async (code) => {
    const { db, names } = fakeDatabase({ failNamed: code });
    const statements = preparedStatements(db);
    await run(statements, "SELECT 1");
    await run(statements, "SELECT 1");
    expect(names).toEqual([expect.any(String), undefined, undefined]);
  });

  test("other errors are the caller's", async () => {
    const { db, names } = fakeDatabase({ failNamed: "22000" });
    await expect(run(preparedStatements(db), "SELECT 1")).rejects.toMatchObject({ code: "22000" });
    expect(names).toHaveLength(1);
  });
});
