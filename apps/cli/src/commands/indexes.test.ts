import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { OperationKind } from "@kindred/contracts/common/v1";
import {
  AdviceSeverity,
  IndexKind,
  IndexMaintenance,
  IndexQuantization,
  Metric,
  PreflightOutcome,
} from "@kindred/contracts/vector-store/v1";
import { KindredError } from "@kindred/errors";
import { COLLECTION, fakeVectorStore, type FakeVectorStore } from "../../test/fake-vector-store.ts";
import { BUILD, BUILT, FAILED } from "../../test/operations-fixture.ts";
import { runInProcess } from "../../test/run-in-process.ts";

let cleanup: AsyncDisposableStack;
beforeEach(() => void (cleanup = new AsyncDisposableStack()));
afterEach(() => cleanup.disposeAsync());

const service = async (...args: Parameters<typeof fakeVectorStore>): Promise<FakeVectorStore> =>
  cleanup.use(await fakeVectorStore(...args));

const index = (at: Pick<FakeVectorStore, "url">, ...args: string[]) =>
  runInProcess(["index", "--url", at.url, ...args], { KINDRED_HOME: "/nonexistent" });

const INDEX = {
  name: "songs_hnsw_halfvec",
  collection: "songs",
  method: "hnsw",
  quantization: IndexQuantization.HALFVEC,
  metric: Metric.COSINE,
  parameters: { m: "16", ef_construction: "200" },
  valid: true,
  sizeBytes: 2n ** 20n,
  rowsAtBuild: 5_000n,
  effort: 64,
  recall: 0.96125,
};

describe("list", () => {
  test("state, size, rows at build, effort and recall", async () => {
    const at = await service({
      listIndexes: () => ({
        indexes: [INDEX, { ...INDEX, name: "new", valid: false, building: true, effort: 0, recall: 0 }],
      }),
    });
    const { out } = await index(at, "list", "songs");
    expect(out).toMatch(
      /^ songs_hnsw_halfvec +hnsw halfvec +cosine +m=16 ef_construction=200 +valid +1\.0 MiB +5,000 +64 +0\.9613$/m,
    );
    expect(out).toMatch(/^ new .* building +1\.0 MiB +5,000 +- +-$/m);
    expect(at.asked("listIndexes")).toMatchObject([{ collection: "songs", allCollections: false }]);
  });

  test("of all collections, with their names", async () => {
    const at = await service({ listIndexes: () => ({ indexes: [INDEX] }) });
    expect((await index(at, "list", "--all")).out).toMatch(/^ songs +songs_hnsw_halfvec /m);
    expect(at.asked("listIndexes")).toMatchObject([{ collection: "", allCollections: true }]);
    expect((await index(at, "list", "songs", "--all")).code).toBe(2);
  });

  test("none: what can be done", async () => {
    const at = await service({ listIndexes: () => ({}) });
    expect((await index(at, "list")).out).toBe(
      " no vector index: searches compare every row (kindred index plan images)\n",
    );
  });
});

const SPEC = {
  kind: IndexKind.HNSW,
  quantization: IndexQuantization.HALFVEC,
  metric: Metric.COSINE,
  m: 16,
  efConstruction: 200,
};

describe("plan", () => {
  const PLAN = {
    rows: 5_000n,
    chosen: {
      spec: SPEC,
      sizeBytes: 40_000_000n,
      buildMemoryBytes: 50_000_000n,
      buildTime: { seconds: 12n },
      reasons: ["It finds most in the least time."],
    },
    alternatives: [
      {
        spec: { kind: IndexKind.IVFFLAT, quantization: IndexQuantization.NONE, lists: 5 },
        sizeBytes: 8_000_000n,
        buildMemoryBytes: 1_000n,
        buildTime: { seconds: 1n },
        reasons: ["small", "slower"],
      },
    ],
    reasons: ["There are 5,000 rows."],
    preflight: [
      { name: "maintenance_work_mem", outcome: PreflightOutcome.WARNING, message: "16 MB; 64 MB would do" },
      { name: "disk", outcome: PreflightOutcome.UNKNOWN, message: "not seen from here" },
    ],
  };

  test("the choice and why, other ways, the preflight, and the command for it", async () => {
    const at = await service({ planIndex: () => PLAN });
    const { code, out } = await index(at, "plan", "songs");
    expect({ code, out }).toEqual({
      code: 0,
      out: [
        " collection  songs, ~5,000 rows",
        " index       hnsw halfvec, m=16 ef_construction=200, cosine",
        " size        38.1 MiB on disk",
        " memory      47.7 MiB while it is built",
        " time        about 12.0 s, by a rule of thumb: --calibrate measures a sample",
        "",
        " why",
        "   There are 5,000 rows.",
        "   It finds most in the least time.",
        "",
        " other ways",
        " kind     parameters     size      memory   time  for and against",
        " ivfflat  lists=5     7.6 MiB  1000 bytes  1.0 s  small; slower",
        "",
        " what a build would find",
        "   ! maintenance work mem  16 MB; 64 MB would do",
        "   ? disk                  not seen from here",
        "",
        " kindred index create songs --kind hnsw --quantization halfvec --metric cosine --m 16 --ef-construction 200",
        "",
      ].join("\n"),
    });
    expect(JSON.parse((await index(at, "plan", "songs", "--json")).out)).toMatchObject({
      rows: 5_000,
      chosen: { size_bytes: 40_000_000 },
      preflight: [{ outcome: "PREFLIGHT_OUTCOME_WARNING" }, {}],
    });
  });

  test("none should be built", async () => {
    const at = await service({ planIndex: () => ({ rows: 12n, reasons: ["There are 12 rows only."] }) });
    expect((await index(at, "plan", "songs")).out).toBe(
      " collection  songs, ~12 rows\n index       none: searches compare every row\n\n why\n   There are 12 rows only.\n",
    );
  });

  test("every wish reaches the store", async () => {
    const at = await service({ planIndex: () => ({}) });
    const wishes = ["--kind", "diskann", "--quantization", "none", "--metric", "l2", "--num-neighbors", "50"];
    const sizes = [
      "--search-list-size",
      "100",
      "--rows",
      "1000000",
      "--recall-target",
      "0.99",
      "--calibrate",
    ];
    await index(at, "plan", "songs", ...wishes, ...sizes);
    await index(at, "plan", "songs");
    const [all, none] = at.asked("planIndex");
    expect(all).toMatchObject({
      collection: "songs",
      spec: {
        kind: IndexKind.DISKANN,
        quantization: IndexQuantization.NONE,
        metric: Metric.L2,
        numNeighbors: 50,
        searchListSize: 100,
      },
      rows: 1_000_000n,
      recallTarget: 0.99,
      calibrate: true,
    });
    expect(none).toMatchObject({ spec: { kind: IndexKind.UNSPECIFIED, m: 0 }, rows: 0n, calibrate: false });
    expect(none?.["recallTarget"]).toBeUndefined();
  });
});

describe("create", () => {
  const building = (...updates: object[]): Promise<FakeVectorStore> =>
    service({
      startIndexBuild: () => ({ operation: BUILD }),
      async *watchOperation() {
        for (const operation of updates) yield { operation };
      },
      listIndexes: () => ({ indexes: [INDEX] }),
    });

  test("waits until it is built, and shows what there is then", async () => {
    const at = await building(BUILD, BUILT);
    const args = ["--kind", "hnsw", "--m", "32", "--name", "my_idx", "--keep-on-miss", "--keep-others"];
    const { code, out, err } = await index(at, "create", "songs", ...args, "--request-id", "r1");
    expect(code).toBe(0);
    expect(out).toMatch(/^ name +kind .*\n songs_hnsw_halfvec /);
    expect(err).toContain("✔ build     index build 17 of songs");
    expect(at.asked("startIndexBuild")).toMatchObject([
      {
        collection: "songs",
        spec: { kind: IndexKind.HNSW, m: 32, indexName: "my_idx" },
        keepOnMiss: true,
        keepOthers: true,
        requestId: "r1",
      },
    ]);
  });

  test("for programs: the operation at its end, also of one that failed", async () => {
    const good = await index(await building(BUILD, BUILT), "create", "songs", "--json");
    expect({ ...good, out: JSON.parse(good.out) as object }).toMatchObject({
      code: 0,
      err: "",
      out: { id: 17, state: "OPERATION_STATE_SUCCEEDED" },
    });
    const bad = await index(await building(BUILD, FAILED), "create", "songs", "--json");
    expect(bad.code).toBe(1);
    expect(JSON.parse(bad.out)).toMatchObject({ failure: { code: 9 } });
    expect(JSON.parse(bad.err)).toMatchObject({
      error: { message: expect.stringContaining("misses the target"), remedy: "kindred operations show 17" },
    });
  });

  test("without waiting", async () => {
    const at = await building();
    expect(await index(at, "create", "songs", "--no-wait")).toEqual({
      code: 0,
      out: " index build 17 of songs is under way; watch it with\n kindred operations watch 17\n",
      err: "",
    });
    const { out } = await index(at, "create", "songs", "--no-wait", "--json");
    expect(JSON.parse(out)).toMatchObject({ id: 17, state: "OPERATION_STATE_RUNNING" });
    expect(at.asked("watchOperation")).toEqual([]);
  });

  test("another operation is in the way", async () => {
    const at = await service({
      startIndexBuild: () => {
        throw new KindredError("aborted", "operation 16 of songs runs", { retryAfterMs: 1_000 });
      },
    });
    const { code, err } = await index(at, "create", "songs");
    expect(code).toBe(1);
    expect(err).toBe(
      "error: operation 16 of songs runs\n  Which one, and how far it is: kindred operations list songs --active\n",
    );
  });
});

test("rebuild", async () => {
  const at = await service({
    startIndexRebuild: () => ({ operation: { ...BUILD, kind: OperationKind.INDEX_REBUILD } }),
  });
  await index(at, "rebuild", "songs", "--index", "songs_hnsw", "--no-wait");
  await index(at, "rebuild", "songs", "--no-wait");
  expect(at.asked("startIndexRebuild")).toMatchObject([
    { collection: "songs", indexName: "songs_hnsw" },
    { indexName: "" },
  ]);
});

test("drop has to be agreed to", async () => {
  const dropping = { ...BUILT, kind: OperationKind.INDEX_DROP };
  const at = await service({
    startIndexDrop: () => ({ operation: dropping }),
    async *watchOperation() {
      yield { operation: dropping };
    },
  });
  expect(await index(at, "drop", "songs", "songs_hnsw")).toMatchObject({
    code: 2,
    err: expect.stringContaining("Drop the index songs_hnsw of songs? There is no terminal"),
  });
  expect(at.asked("startIndexDrop")).toEqual([]);
  expect(await index(at, "drop", "songs", "songs_hnsw", "--yes")).toMatchObject({
    code: 0,
    out: " dropped songs_hnsw\n",
  });
  expect(at.asked("startIndexDrop")).toMatchObject([{ collection: "songs", indexName: "songs_hnsw" }]);
});

describe("advise", () => {
  test("each remedy stands on a line of its own", async () => {
    const at = await service({
      adviseIndexes: () => ({
        advice: [
          {
            collection: "songs",
            indexName: "songs_hnsw",
            severity: AdviceSeverity.CRITICAL,
            rule: "invalid-index",
            message: "A build of it was killed.",
            remedy: "kindred index rebuild songs --index songs_hnsw",
            automatic: true,
          },
          {
            collection: "notes",
            severity: AdviceSeverity.INFO,
            rule: "small",
            message: "It needs none.",
          },
        ],
      }),
    });
    expect(await index(at, "advise")).toEqual({
      code: 0,
      err: "",
      out: [
        " critical songs, songs_hnsw invalid-index",
        "   A build of it was killed.",
        "   the store is going to do it by itself; or do it now:",
        "   kindred index rebuild songs --index songs_hnsw",
        "",
        " info notes small",
        "   It needs none.",
        "",
      ].join("\n"),
    });
    await index(at, "advise", "songs", "--json");
    expect(at.asked("adviseIndexes")).toMatchObject([{ collection: "" }, { collection: "songs" }]);
  });

  test("nothing to do", async () => {
    const at = await service({ adviseIndexes: () => ({}) });
    expect((await index(at, "advise")).out).toBe(" nothing to do: every index is as it should be\n");
  });
});

describe("policy", () => {
  const policy = { kind: IndexKind.HNSW, m: 32, maintenance: IndexMaintenance.AUTOMATIC, minRows: 50_000n };

  test("is shown with the name that it wants", async () => {
    const named = { kind: IndexKind.IVFFLAT, lists: 7, indexName: "embeddings_ivfflat_idx" };
    const at = await service({}, { ...COLLECTION, indexPolicy: named });
    expect((await index(at, "policy", "songs")).out).toContain(
      " index policy   ivfflat lists=7 name=embeddings_ivfflat_idx\n",
    );
  });

  test("is shown without options", async () => {
    const at = await service({}, { ...COLLECTION, indexPolicy: policy });
    expect((await index(at, "policy", "songs")).out).toBe(
      [
        " collection     songs",
        " recall target  0.95",
        " index policy   hnsw m=32",
        " maintenance    automatic: the store builds, tunes and rebuilds, from 50,000 rows on",
        "",
      ].join("\n"),
    );
    expect(at.asked("updateCollection")).toEqual([]);
  });

  test("is changed in what was named", async () => {
    const at = await service();
    await index(at, "policy", "songs", "--kind", "ivfflat", "--maintenance", "manual", "--min-rows", "7");
    await index(at, "policy", "songs", "--recall-target", "0.98", "--quantization", "binary");
    await index(at, "policy", "songs", "--index-name", "embeddings_ivfflat_idx");
    await index(at, "policy", "songs", "--index-name", "");
    expect(at.asked("updateCollection")).toMatchObject([
      {
        collection: {
          name: "songs",
          indexPolicy: { kind: IndexKind.IVFFLAT, maintenance: IndexMaintenance.MANUAL, minRows: 7n },
        },
        updateMask: { paths: ["index_policy.kind", "index_policy.maintenance", "index_policy.min_rows"] },
      },
      {
        collection: { recallTarget: 0.98, indexPolicy: { quantization: IndexQuantization.BINARY } },
        updateMask: { paths: ["recall_target", "index_policy.quantization"] },
      },
      {
        collection: { indexPolicy: { indexName: "embeddings_ivfflat_idx" } },
        updateMask: { paths: ["index_policy.index_name"] },
      },
      { collection: { indexPolicy: { indexName: "" } }, updateMask: { paths: ["index_policy.index_name"] } },
    ]);
  });
});
