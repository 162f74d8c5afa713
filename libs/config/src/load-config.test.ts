import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  boolean,
  bytes,
  choice,
  ConfigError,
  duration,
  integer,
  loadConfig,
  number,
  optional,
  readEnvironment,
  text,
  url,
  urls,
} from "./index.ts";

const schema = {
  PORT: integer({ description: "Port.", default: 8080, min: 0, max: 65535 }),
  RATIO: number({ description: "Ratio.", default: 0.5, min: 0, max: 1 }),
  TIMEOUT: duration({ description: "Timeout.", default: "10s", min: "1ms", max: "1h" }),
  LIMIT: bytes({ description: "Limit.", default: "4MiB", min: "1KiB", max: "1GiB" }),
  ECHO: boolean({ description: "Echo.", default: false }),
  MODE: choice({ description: "Mode.", default: "auto", choices: ["auto", "cpu", "cuda"] }),
  DATABASE_URL: url({ description: "Database.", schemes: ["postgresql", "postgres"], secret: true }),
  NAME: optional(text({ description: "Name.", maxLength: 5 })),
};
const minimal = { DATABASE_URL: "postgresql://localhost/x" };

/** The problems that loadConfig reports, one line each. */
function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    loadConfig(schema, env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

describe("loadConfig", () => {
  test("takes defaults, and converts units", () => {
    expect(loadConfig(schema, minimal)).toEqual({
      PORT: 8080,
      RATIO: 0.5,
      TIMEOUT: 10_000,
      LIMIT: 4 * 2 ** 20,
      ECHO: false,
      MODE: "auto",
      DATABASE_URL: "postgresql://localhost/x",
      NAME: undefined,
    });
  });

  test("reads what is set; an empty value counts as absent", () => {
    const config = loadConfig(schema, {
      ...minimal,
      PORT: "0",
      TIMEOUT: "250ms",
      ECHO: "on",
      NAME: "",
      LIMIT: "2 KiB",
    });
    expect(config).toMatchObject({ PORT: 0, TIMEOUT: 250, ECHO: true, NAME: undefined, LIMIT: 2048 });
  });

  test.each([
    ["6.5MiB", 6.5 * 2 ** 20],
    ["1.0001 KiB", 1024],
    ["1023.5KiB", 1_048_064],
    ["1024.4", 1024],
  ])("a size may be a fraction of its unit, and is whole bytes: %s", (LIMIT, expected) => {
    expect(loadConfig(schema, { ...minimal, LIMIT }).LIMIT).toBe(expected);
  });

  test.each(["6,5MiB", ".5MiB", "6.MiB", "1e6"])("%s is no size", (LIMIT) => {
    expect(problemsOf({ ...minimal, LIMIT })).toEqual([
      `LIMIT must be a size such as 4MiB, is ${JSON.stringify(LIMIT)}`,
    ]);
  });

  test("reports every problem at once, with the name and the remedy", () => {
    const problems = problemsOf({
      PORT: "70000",
      RATIO: "x",
      TIMEOUT: "2h",
      LIMIT: "lots",
      ECHO: "maybe",
      MODE: "gpu",
      NAME: "toolong",
    });
    expect(problems).toEqual([
      'PORT must be 0 to 65535, is "70000"',
      'RATIO must be 0 to 1, is "x"',
      'TIMEOUT must be 1ms to 1h, is "2h"',
      'LIMIT must be a size such as 4MiB, is "lots"',
      'ECHO must be true or false, is "maybe"',
      'MODE must be one of auto, cpu, cuda, is "gpu"',
      "DATABASE_URL is required (URL with scheme postgresql or postgres): Database.",
      "NAME must be at most 5 characters, has 7",
    ]);
  });

  test("never repeats a URL, which may carry a password", () => {
    const [problem] = problemsOf({ DATABASE_URL: "mysql://u:hunter2@localhost/x" });
    expect(problem).toBe("DATABASE_URL must be a URL with scheme postgresql or postgres");
  });

  test("takes exactly the integers of the range", () => {
    fc.assert(
      fc.property(fc.integer({ min: -100_000, max: 200_000 }), (n) => {
        const bad = n < 0 || n > 65_535;
        expect(problemsOf({ ...minimal, PORT: String(n) }).length).toBe(bad ? 1 : 0);
      }),
    );
    expect(problemsOf({ ...minimal, PORT: "1.5" })).toEqual(['PORT must be an integer, is "1.5"']);
    expect(problemsOf({ ...minimal, PORT: "0x10" })).toEqual(['PORT must be an integer, is "0x10"']);
  });
});

test("the environment wins over the .env file, and a missing file is fine", () => {
  const folder = mkdtempSync(join(tmpdir(), "kindred-config-"));
  try {
    expect(readEnvironment(folder)["KINDRED_CONFIG_TEST"]).toBeUndefined();
    writeFileSync(join(folder, ".env"), 'KINDRED_CONFIG_TEST="from file"\nPATH=/from/file\n');
    expect(readEnvironment(folder)["KINDRED_CONFIG_TEST"]).toBe("from file");
    expect(readEnvironment(folder)["PATH"]).not.toBe("/from/file");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("several URLs stand between commas, and none of them is told when one is wrong", () => {
  const replicas = { REPLICAS: urls({ description: "Replicas.", schemes: ["postgresql"], secret: true }) };
  const [one, other] = ["postgresql://a:p%2Cw@h:1/x", "postgresql://h/y"];
  expect(loadConfig(replicas, { REPLICAS: `${one}, ${other}` })).toEqual({ REPLICAS: [one, other] });
  const refused = (value: string) => () => loadConfig(replicas, { REPLICAS: value });
  for (const wrong of [`${one},`, `${one},http://h`, "h"]) expect(refused(wrong)).toThrow(ConfigError);
  expect(refused(`${one},http://secret`)).not.toThrow(/secret|p%2Cw/);
});
