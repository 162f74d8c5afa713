import { PassThrough } from "node:stream";
import { describe, expect, test } from "@jest/globals";
import { formatBytes, formatCount, formatMs, plural } from "./format.ts";
import { createSteps } from "./steps.ts";
import { renderPairs, renderTable } from "./table.ts";
import { createTerminal, type Terminal } from "./terminal.ts";

function terminal(
  env: Record<string, string> = {},
  columns?: number,
): { terminal: Terminal; out: PassThrough; err: PassThrough } {
  const tty = columns === undefined ? {} : { isTTY: true, columns };
  const [out, err] = [new PassThrough(), new PassThrough()];
  return {
    terminal: createTerminal({ stdout: Object.assign(out, tty), stderr: Object.assign(err, tty), env }),
    out,
    err,
  };
}

const text = (stream: PassThrough): string => String(stream.read() ?? "");
const COLUMNS = [
  { title: "#", align: "right" as const },
  { title: "path" },
  { title: "caption", shrinks: true },
];
const ROWS = [
  ["1", "a.png", "A cat sleeps on a sofa."],
  ["10", "folder/b.png", "Rain."],
];

describe("names and values", () => {
  const PAIRS: [string, string][] = [
    ["id", "1"],
    ["prompt", "a red kite over 子猫がソファの上で and abcdefghijklmnopqrstuvwxyz"],
  ];

  test("go on below themselves in a terminal, at words, by the columns that characters take", () => {
    const { terminal: narrow } = terminal({ NO_COLOR: "1" }, 25);
    expect(renderPairs(narrow, PAIRS)).toBe(
      [
        " id      1",
        " prompt  a red kite over",
        "         子猫がソファの上",
        "         で and",
        "         abcdefghijklmnop",
        "         qrstuvwxyz",
      ].join("\n"),
    );
  });

  test("are a line each where nobody watches, and a value without text is one, too", () => {
    expect(renderPairs(terminal().terminal, PAIRS).split("\n")).toHaveLength(2);
    expect(renderPairs(terminal({ NO_COLOR: "1" }, 25).terminal, [["t", ""]])).toBe(" t  ");
  });

  test("each line of a painted value is painted, and the names' column is not", () => {
    const { terminal: narrow } = terminal({ NO_COLOR: "1" }, 20);
    expect(renderPairs(narrow, [["t", "one two three four five", (line) => `<${line}>`]])).toBe(
      " t  <one two three>\n    <four five>",
    );
  });
});

describe("a table", () => {
  test("counts the columns that wide characters take, and keeps characters whole where it cuts", () => {
    const { terminal: narrow } = terminal({ NO_COLOR: "1" }, 24);
    const rows = [
      ["1", "a.png", "子猫がソファの上で"],
      ["2", "b.png", "🐎🐎🐎🐎🐎🐎🐎🐎"],
      ["3", "c.png", "cafe\u0301 au lait"],
    ];
    expect(renderTable(narrow, COLUMNS, rows)).toBe(
      [
        " #  path   caption",
        " 1  a.png  子猫がソフ…",
        " 2  b.png  🐎🐎🐎🐎🐎…",
        " 3  c.png  cafe\u0301 au lait",
      ].join("\n"),
    );
  });

  test("aligned columns without a frame, and nothing is cut where nobody watches", () => {
    expect(renderTable(terminal().terminal, COLUMNS, ROWS)).toBe(
      [
        "  #  path          caption",
        "  1  a.png         A cat sleeps on a sofa.",
        " 10  folder/b.png  Rain.",
      ].join("\n"),
    );
  });

  test("fits the terminal: the widest text gives way", () => {
    const lines = renderTable(terminal({ NO_COLOR: "1" }, 36).terminal, COLUMNS, ROWS).split("\n");
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(36);
    expect(lines[1]).toBe("  1  a.png         A cat sleeps on…");
  });

  test("other people's control characters do not reach the terminal", () => {
    const evil = "a\u001b[31mred\u001b[0m\u0007\nnext\u009b1m\u0085";
    expect(renderTable(terminal().terminal, [{ title: "t" }], [[evil]])).toBe(" t\n ared next");
    expect(renderPairs(terminal().terminal, [["t", evil]])).toBe(" t  ared next");
  });
});

describe("colours", () => {
  test.each<[Record<string, string>, number | undefined, boolean]>([
    [{}, 80, true],
    [{}, undefined, false],
    [{ NO_COLOR: "1" }, 80, false],
    [{ FORCE_COLOR: "1" }, undefined, true],
    [{ FORCE_COLOR: "1", NO_COLOR: "1" }, undefined, false],
  ])("%j, %p columns: %p", (env, columns, colored) => {
    expect(terminal(env, columns).terminal.colors.red("x") !== "x").toBe(colored);
  });
});

test("results go to standard output, everything else to standard error", () => {
  const { terminal: t, out, err } = terminal();
  t.result("result");
  t.json({ a: 1 });
  t.note("note");
  expect(text(out)).toBe('result\n{\n  "a": 1\n}\n');
  expect(text(err)).toBe("note\n");
});

describe("steps where nobody watches", () => {
  test("a line at each quarter, and one at the end", async () => {
    const { terminal: t, out, err } = terminal();
    const result = await createSteps(t, 0).run("model", (step) => {
      for (let done = 0; done <= 100; done += 5) step.progress("downloading", done, 100);
      return Promise.resolve({ summary: "from the hub", size: 5 });
    });
    expect(result.size).toBe(5);
    expect(text(out)).toBe("");
    const lines = text(err).trimEnd().split("\n");
    expect(lines.slice(0, -1).map((line) => line.trim())).toEqual([
      "model      downloading",
      "model      downloading 25 %",
      "model      downloading 50 %",
      "model      downloading 75 %",
      "model      downloading 100 %",
    ]);
    expect(lines.at(-1)).toMatch(/^✔ model {6}from the hub {2}[\d.]+ m?s$/);
  });

  test("quick work is one line", async () => {
    const { terminal: t, err } = terminal();
    await createSteps(t).run("model", (step) => {
      step.progress("checking", 1, 2);
      return Promise.resolve({ summary: "from the cache" });
    });
    expect(text(err).trimEnd().split("\n")).toHaveLength(1);
  });

  test("what goes on after a step is over is not shown", async () => {
    const { terminal: t, err } = terminal();
    let later = (): void => {};
    await createSteps(t, 0).run("database", (step) => {
      later = () => step.progress("starting");
      return Promise.resolve({ summary: "PostgreSQL" });
    });
    later();
    expect(text(err).trimEnd().split("\n")).toHaveLength(1);
  });

  test("a step that fails says nothing itself", async () => {
    const { terminal: t, err } = terminal();
    await expect(createSteps(t).run("model", () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(text(err)).toBe("");
  });
});

test("numbers for people", () => {
  expect([0, 999, 25_014].map(formatCount)).toEqual(["0", "999", "25,014"]);
  expect([0, 1_023, 1_536, 5 * 2 ** 30].map(formatBytes)).toEqual([
    "0 bytes",
    "1023 bytes",
    "1.5 KiB",
    "5.0 GiB",
  ]);
  expect([0.34, 12.4, 999, 1_234, 125_000].map(formatMs)).toEqual([
    "0.3 ms",
    "12 ms",
    "999 ms",
    "1.2 s",
    "2 min 5 s",
  ]);
  expect([plural(1, "image"), plural(2n, "image"), plural(0, "image")]).toEqual([
    "1 image",
    "2 images",
    "0 images",
  ]);
});
