import { expect, test } from "@jest/globals";
import { runTask, TaskError } from "../src/index.ts";
import { fixture, isAlive, until } from "./processes.ts";

const entry = fixture("task.ts");

test("JSON lines are messages, everything else is log", async () => {
  const messages: unknown[] = [];
  const log: string[] = [];
  await runTask({ entry, args: ["ok"], onMessage: (m) => messages.push(m), onLog: (l) => log.push(l) });
  expect(messages).toEqual([
    { phase: "one", done: 1 },
    { phase: "two", done: 2 },
  ]);
  expect(log.toSorted()).toEqual(["channel true", "not json"]);
});

test("a failed task rejects with its exit code and what it said", async () => {
  const error = await runTask({ entry, args: ["fail"] }).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(TaskError);
  expect(error).toMatchObject({
    exitCode: 3,
    message: "task.ts: exit code 3\nreading\nNo space left on device",
    stderr: ["reading", "", "No space left on device"],
  });
});

test("an aborted task ends with everything it has started", async () => {
  const abort = new AbortController();
  let pids: number[] = [];
  const task = runTask({
    entry,
    args: ["wait"],
    signal: abort.signal,
    onMessage: (message) => {
      pids = message as number[];
      abort.abort(new Error("enough"));
    },
  });
  await expect(task).rejects.toThrow("enough");
  expect(pids.length).toBe(2);
  await until(() => !pids.some(isAlive));
});
