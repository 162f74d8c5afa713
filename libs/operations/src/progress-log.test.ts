import { expect, test } from "@jest/globals";
import { MAX_NOTE_CHARACTERS, MAX_NOTES, ProgressLog } from "./progress-log.ts";

const progress = (done: number, phase = "load", phaseNumber = 1) => ({
  phase,
  phaseNumber,
  phaseCount: 2,
  done,
  total: 1000,
  unit: "rows",
});

test("the last of what is reported counts, and is taken once", () => {
  const log = new ProgressLog(() => 0, []);
  expect(log.pending).toBe(false);
  log.report(progress(1));
  log.report(progress(2));
  expect(log.take().progress).toMatchObject({ done: 2 });
  expect(log.take()).toEqual({ progress: undefined, notes: [] });
});

test("what could not be written is taken again, unless there is something newer", () => {
  const log = new ProgressLog(() => 0, []);
  log.report(progress(1));
  log.note("first");
  const said = log.take();
  log.note("second");
  log.unsaid(said);
  expect(log.take()).toMatchObject({ progress: { done: 1 }, notes: ["first", "second"] });
  log.report(progress(2));
  const older = log.take();
  log.report(progress(3));
  log.unsaid(older);
  expect(log.take().progress).toMatchObject({ done: 3 });
});

test("the rate is that of the last minute of the phase", () => {
  let now = 0;
  const log = new ProgressLog(() => now, []);
  // 1 a second for five minutes, then 10 a second for two.
  let done = 0;
  for (; now < 300_000; now += 1000) log.report(progress(done++));
  for (; now < 420_000; now += 1000) log.report(progress((done += 10)));
  const measured = log.take().progress as { measuredMs: number; measuredFromDone: number; done: number };
  expect(measured.measuredMs).toBeGreaterThan(55_000);
  expect(measured.measuredMs).toBeLessThan(65_000);
  expect(((measured.done - measured.measuredFromDone) / measured.measuredMs) * 1000).toBeCloseTo(10, 0);
});

test.each([
  ["a phase begins", progress(5, "next", 2)],
  ["less is done than before", progress(5)],
])("the rate is measured anew when %s", (_, next) => {
  let now = 0;
  const log = new ProgressLog(() => now, []);
  log.report(progress(500));
  now = 10_000;
  log.report(next);
  now = 11_000;
  log.report({ ...next, done: 7 });
  expect(log.take().progress).toMatchObject({ done: 7, measuredMs: 1000, measuredFromDone: 5 });
});

test("numbers are what a table of counts can hold", () => {
  const log = new ProgressLog(() => 0, []);
  log.report({ ...progress(Number.NaN), total: Infinity });
  expect(log.take().progress).toMatchObject({ done: 0, total: 0 });
  log.report({ ...progress(-3), total: 1e300 });
  expect(log.take().progress).toMatchObject({ done: 0, total: Number.MAX_SAFE_INTEGER });
});

test("notes are kept once each, not too long and not too many", () => {
  const log = new ProgressLog(() => 0, ["known"]);
  log.note("known");
  log.note("x".repeat(5000));
  expect(log.take().notes.map((note) => note.length)).toEqual([MAX_NOTE_CHARACTERS]);
  for (let i = 0; i < 200; i++) log.note(`note ${i}`);
  const { notes } = log.take();
  expect(notes).toHaveLength(MAX_NOTES - 2);
  expect(notes.at(-1)).toBe("more came up than is kept here");
});
