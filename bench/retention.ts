// Deletes half of a million generations by a policy, and looks what recording and listing notice of it, through gRPC.
// usage: node bench/retention.ts [--rows 1000000] [--database URL]
import { createClient } from "@connectrpc/connect";
import { parseArgs } from "node:util";
import { OperationState, type Operation } from "@kindred/contracts/common/v1";
import { OperationService, RetentionService } from "@kindred/contracts/generation-tracking/v1";
import { fillGenerations, startGenerations } from "./support/generation-service.ts";
import { secondsOf } from "./support/rounds.ts";
import { median, percentile } from "./statistics.ts";

const { values: options } = parseArgs({
  options: { rows: { type: "string", default: "1000000" }, database: { type: "string" } },
});
const rows = Number(options.rows);
/** So many calls are measured while nothing else goes on. */
const QUIET_CALLS = 300;

await using running = await startGenerations(options.database);
console.log(running.database);
const { rowsS, indexesS } = await fillGenerations(running, rows);
console.log(`${rows} rows in ${rowsS.toFixed(0)} s, indexes in ${indexesS.toFixed(0)} s\n`);
const { client, transport } = running;
const retention = createClient(RetentionService, transport);
const operations = createClient(OperationService, transport);

interface Times {
  recording: number[];
  listing: number[];
}

async function measureOne(times: Times): Promise<void> {
  const generation = { prompt: "recorded meanwhile", modelName: "model-0", generationTimeMs: 1000 };
  times.recording.push(1000 * (await secondsOf(() => client.recordGeneration({ generation }))));
  times.listing.push(1000 * (await secondsOf(() => client.listGenerations({ pageSize: 50 }))));
}

function show(name: string, times: readonly number[]): void {
  const cells = [median(times), percentile(times, 0.95), percentile(times, 0.99), Math.max(...times)];
  console.log(`${name.padEnd(32)}${cells.map((cell) => cell.toFixed(1).padStart(10)).join("")}`);
}

const policy = { name: "bench", maxCount: BigInt(rows / 2), keepRating: 5, keepParents: true };
await retention.putRetentionPolicy({ policy });
const quiet: Times = { recording: [], listing: [] };
for (let i = 0; i < QUIET_CALLS; i++) await measureOne(quiet);
const which = { case: "name" as const, value: policy.name };
let count = 0n;
const previewS = await secondsOf(async () => {
  ({ count } = await retention.previewRetention({ which }));
});
console.log(`preview: ${count} would go, ${previewS.toFixed(2)} s`);

const busy: Times = { recording: [], listing: [] };
const startedAt = performance.now();
const { operation } = await retention.startRetention({ name: policy.name });
let ended: Operation | undefined;
const watching = (async () => {
  for await (const update of operations.watchOperation({ id: operation?.id ?? 0n })) ended = update.operation;
})();
const isOver = watching.then(() => true);
while (!(await Promise.race([isOver, Promise.resolve(false)]))) await measureOne(busy);
const seconds = (performance.now() - startedAt) / 1000;
if (ended?.state !== OperationState.SUCCEEDED) throw new Error(`it ended as ${ended?.state}`);
console.log(
  `apply: ${JSON.stringify(ended.result)} in ${seconds.toFixed(1)} s, ${(Number(ended.done) / seconds).toFixed(0)} rows/s\n`,
);
console.log(`${"ms".padEnd(32)}${["p50", "p95", "p99", "max"].map((name) => name.padStart(10)).join("")}`);
show("RecordGeneration, quiet", quiet.recording);
show("RecordGeneration, while deleting", busy.recording);
show("list of 50, quiet", quiet.listing);
show("list of 50, while deleting", busy.listing);
