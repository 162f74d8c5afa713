import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { OperationState } from "@kindred/contracts/common/v1";
import { KindredError } from "@kindred/errors";
import { fakeVectorStore, type FakeVectorStore } from "../../test/fake-vector-store.ts";
import { BUILD, BUILT, FAILED, type OperationInit } from "../../test/operations-fixture.ts";
import { Kindred } from "../../test/kindred.ts";
import { runInProcess } from "../../test/run-in-process.ts";

let cleanup: AsyncDisposableStack;
beforeEach(() => void (cleanup = new AsyncDisposableStack()));
afterEach(() => cleanup.disposeAsync());

const service = async (...args: Parameters<typeof fakeVectorStore>): Promise<FakeVectorStore> =>
  cleanup.use(await fakeVectorStore(...args));

const operations = (at: Pick<FakeVectorStore, "url">, ...args: string[]) =>
  runInProcess(["operations", "--url", at.url, ...args], { KINDRED_HOME: "/nonexistent" });

/** A service whose operation 17 goes through these states. */
const going = (...updates: OperationInit[]): Promise<FakeVectorStore> =>
  service({
    getOperation: () => ({ operation: updates[0] }),
    async *watchOperation() {
      for (const operation of updates) yield { operation };
    },
  });

describe("list", () => {
  test("for people and for programs", async () => {
    const at = await service({
      listOperations: () => ({
        operations: [{ ...BUILD, automatic: true }, FAILED],
        nextPageToken: "more",
      }),
    });
    const { code, out } = await operations(at, "list", "songs", "--active", "--limit", "2");
    expect(code).toBe(0);
    expect(out).toMatch(
      /^ 17 +index build \(automatic\) +songs +running +2\/5 build: loading tuples, 24 % +\d[\d,]* days ago +/m,
    );
    expect(out).toMatch(/^ 17 +index build +songs +failed +recall 0\.91 misses .* 1 min 40 s$/m);
    expect(out).toContain("there are more: --limit");
    expect(at.asked("listOperations")).toMatchObject([{ collection: "songs", active: true, pageSize: 2 }]);
    expect(JSON.parse((await operations(at, "list", "--json")).out)).toMatchObject({
      operations: [
        {
          service: "vector-store",
          id: 17,
          kind: "OPERATION_KIND_INDEX_BUILD",
          collection: "songs",
          state: "OPERATION_STATE_RUNNING",
          done: 1_200,
        },
        {},
      ],
    });
  });

  test("none", async () => {
    const at = await service({ listOperations: () => ({}) });
    expect((await operations(at, "list", "--active")).out).toBe(" nothing is under way\n");
  });
});

test("show: everything that is known", async () => {
  const operation = {
    ...BUILT,
    attempts: 2,
    spec: { kind: "hnsw", keep_on_miss: false },
    notes: ["maintenance_work_mem is small"],
  };
  const { out } = await operations(await service({ getOperation: () => ({ operation }) }), "show", "17");
  for (const line of [
    /^ what +index build$/m,
    /^ state +done$/m,
    /^ took +1 min 40 s$/m,
    /^ begun again +1 time: its process ended before it did$/m,
    /^ +kind +hnsw$/m,
    /^ +keep on miss +no$/m,
    /^ +size +38\.1 MiB$/m,
    /^ +build time +12\.4 s$/m,
    /^ +recall +0\.9612$/m,
    /^ +maintenance_work_mem is small$/m,
  ])
    expect(out).toMatch(line);
});

describe("watch", () => {
  test("a line a change where nobody watches, then what came of it", async () => {
    const half = { ...BUILD, done: 2_500n };
    const { code, out, err } = await operations(
      await going({ ...BUILD, state: OperationState.QUEUED, phase: "" }, BUILD, BUILD, half, BUILT),
      "watch",
      "17",
    );
    expect(code).toBe(0);
    expect(err.split("\n")).toEqual([
      expect.stringMatching(/^ {2}build {5}queued/),
      "  build     2/5 build: loading tuples, 24 %, 1,200 of 5,000 rows, 400 rows/s, 9.5 s left",
      "  build     2/5 build: loading tuples, 50 %, 2,500 of 5,000 rows, 400 rows/s, 9.5 s left",
      "✔ build     index build 17 of songs  1 min 40 s",
      "",
    ]);
    expect(out).toMatch(
      /^ index name +songs_hnsw\n size +38\.1 MiB\n build time +12\.4 s\n recall +0\.9612\n$/,
    );
  });

  test("notes are shown once, when they come", async () => {
    const noted = { ...BUILD, notes: ["one"] };
    const { err } = await operations(
      await going(BUILD, noted, { ...noted, notes: ["one", "two"] }, BUILT),
      "watch",
      "17",
    );
    expect(err.match(/note: .*/g)).toEqual(["note: one", "note: two"]);
  });

  test("for programs, one line of JSON a change", async () => {
    const { code, out, err } = await operations(await going(BUILD, BUILT), "watch", "17", "--json");
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(
      out
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as object),
    ).toMatchObject([
      { id: 17, state: "OPERATION_STATE_RUNNING", phase_number: 2 },
      { state: "OPERATION_STATE_SUCCEEDED", result: { index_name: "songs_hnsw" } },
    ]);
  });

  test("one that fails is a failure, with its reason", async () => {
    const { code, out, err } = await operations(await going(BUILD, FAILED), "watch", "17");
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toContain(
      "error: The index build 17 of songs failed after 1 min 40 s: recall 0.91 misses the target 0.95\n  kindred operations show 17\n",
    );
  });

  test("one that is cancelled, too", async () => {
    const at = await going(BUILD, { ...BUILT, state: OperationState.CANCELLED });
    const { code, err } = await operations(at, "watch", "17", "--json");
    expect(code).toBe(1);
    expect(JSON.parse(err)).toMatchObject({ error: { message: expect.stringContaining("was cancelled") } });
  });

  test("goes on when the service was away for a moment", async () => {
    let streams = 0;
    const at = await service({
      getOperation: () => ({ operation: BUILD }),
      async *watchOperation() {
        streams += 1;
        yield { operation: streams === 1 ? BUILD : BUILT };
        if (streams === 1) throw new KindredError("unavailable", "it is restarted");
      },
    });
    const { code, err } = await operations(at, "watch", "17");
    expect(code).toBe(0);
    expect(err).toMatch(
      /waiting up to 300 s .*the operation goes on: it is restarted\n {2}the service is back/,
    );
  });

  test("Ctrl+C ends the watching, and says how to end the operation", async () => {
    const at = await service({
      getOperation: () => ({ operation: BUILD }),
      async *watchOperation(_request, { signal }) {
        yield { operation: BUILD };
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
      },
    });
    const running = new Kindred(["operations", "watch", "17", "--url", at.url], {
      KINDRED_HOME: "/nonexistent",
    });
    await running.said("loading tuples");
    running.child.kill("SIGINT");
    const { code, out, err } = await running.outcome();
    expect({ code, out }).toEqual({ code: 130, out: "" });
    expect(err).toContain("error: Stopped watching; the index build 17 of songs goes on.");
    expect(err).toContain("kindred operations cancel 17");
    expect(at.asked("cancelOperation")).toEqual([]);
  }, 30_000);
});

test("cancel", async () => {
  const at = await service({
    cancelOperation: () => ({ operation: { ...BUILD, state: OperationState.CANCELLING } }),
  });
  expect((await operations(at, "cancel", "17")).out).toBe(" index build 17 of songs: cancelling\n");
  expect(at.asked("cancelOperation")).toMatchObject([{ id: 17n }]);
});

test.each(["x", "0", "9223372036854775808"])("%s is no id", async (id) => {
  const { code, err } = await operations({ url: "http://127.0.0.1:9" }, "show", id);
  expect(code).toBe(2);
  expect(err).toContain("kindred operations list");
});
