import { KindredError } from "@kindred/errors";
import { indexBuilding } from "../src/adapters/postgres/index-building/index-building.ts";
import type { JsonObject } from "../src/domain/image.ts";
import type { IndexPlanner, RecallTuner } from "../src/domain/indexes/index-ports.ts";
import type { Operation, OperationContext, OperationHandler } from "../src/domain/operations/operation.ts";
import { reembedHandler } from "../src/domain/reembedding/reembed.ts";
import type { Fixture } from "./fixture.ts";

// What does a move as the runner would, but step by step: a crash or a cancellation at any of them.

/** Runs before or after a step, which is a call of SpaceMoves or of the builder. */
export type Interference = (step: string, moment: "before" | "after") => unknown;

/** Builds what it is asked for as it is. */
const planner: IndexPlanner = {
  async plan(_collection, wish, { rows }) {
    const { method = "hnsw", metric = "cosine", quantization = "none" } = wish;
    if (method !== "hnsw") throw new KindredError("invalid-argument", `no plan for ${method}`);
    const spec = { method, m: 8, efConstruction: 32, quantization, metric } as const;
    const forecast = {
      spec,
      sizeBytes: 1,
      buildMemoryBytes: 2 ** 20,
      buildMs: 1,
      calibrated: false,
      reasons: [],
    };
    return { chosen: forecast, alternatives: [], reasons: [], rows: rows ?? 0 };
  },
};

const tuner: RecallTuner = {
  tune: () => Promise.reject(new KindredError("failed-precondition", "there are too few rows to learn from")),
};

export interface Harness {
  /** Takes the operation, as another process would, and does it. */
  run(interfere?: Interference, signal?: AbortSignal): Promise<JsonObject>;
  /** As the runner does when an operation was cancelled or failed. */
  cleanUp(): Promise<void>;
  /** Every step that was begun so far. */
  readonly steps: string[];
  readonly notes: string[];
  readonly phases: Set<string>;
}

/** An operation that nobody else takes. */
export async function openMove(fixture: Fixture, collection: string, spaceId: string): Promise<Harness> {
  const { db, store, embedding } = fixture;
  const { rows } = await db.query<{ id: string }>(
    `INSERT INTO operations (kind, collection, automatic, spec, state, owner, lease_until)
     VALUES ('reembedding', $1, false, $2, 'running', 'test', 'infinity') RETURNING id`,
    [collection, JSON.stringify({ space_id: spaceId })],
  );
  const id = BigInt(rows[0]?.id as string);
  const harness = { steps: [] as string[], notes: [] as string[], phases: new Set<string>() };

  const handler = (interfere: Interference): OperationHandler =>
    reembedHandler({
      ...store,
      embedding,
      planner,
      tuner,
      graceMs: 10,
      moves: interfering(store.moves, harness.steps, interfere),
      building: interfering(
        indexBuilding({ db, memoryBytes: 64 * 2 ** 20, onChange: store.forgetState }),
        harness.steps,
        interfere,
      ),
    });

  const context = async (signal: AbortSignal): Promise<OperationContext> => ({
    operation: await readOperation(fixture, id),
    signal,
    report: ({ phase }) => void harness.phases.add(phase),
    note: (text) => void harness.notes.push(text),
    checkpoint: async (state) => {
      await db.query("UPDATE operations SET checkpoint = $2 WHERE id = $1", [
        String(id),
        JSON.stringify(state),
      ]);
    },
  });
  return {
    ...harness,
    async run(interfere = () => {}, signal = new AbortController().signal) {
      await db.query("UPDATE operations SET attempts = attempts + 1 WHERE id = $1", [String(id)]);
      const result = await handler(interfere).run(await context(signal));
      await db.query("UPDATE operations SET state = 'succeeded', finished_at = now() WHERE id = $1", [
        String(id),
      ]);
      return result;
    },
    async cleanUp() {
      await handler(() => {}).cleanUp(await context(new AbortController().signal));
      await db.query("UPDATE operations SET state = 'cancelled', finished_at = now() WHERE id = $1", [
        String(id),
      ]);
    },
  };
}

async function readOperation({ store }: Fixture, id: bigint): Promise<Operation> {
  return await store.operations.get(id, {});
}

function interfering<T extends object>(port: T, steps: string[], interfere: Interference): T {
  return new Proxy(port, {
    get(target, name) {
      const method = Reflect.get(target, name) as (...args: unknown[]) => Promise<unknown>;
      return async (...args: unknown[]) => {
        const step = String(name);
        steps.push(step);
        await interfere(step, "before");
        const result = await method.apply(target, args);
        await interfere(step, "after");
        return result;
      };
    },
  });
}
