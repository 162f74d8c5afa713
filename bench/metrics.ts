// Samples a second into the metrics service, for as long as asked: whether it keeps up, and what that costs.
//   npx node bench/metrics.ts [--rate 10000] [--seconds 60] [--batch 500] [--clients 4] [--series 1000]
// Each way of reporting gets a database of its own, with fsync. Senders keep to a timetable: who is late at the end could not keep up. Meanwhile
// minutes are computed as always, and somebody asks for a history twice a second.
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { createClient, type Client } from "@connectrpc/connect";
import { MetricsService, Resolution, type MetricSampleSchema } from "@kindred/contracts/metrics/v1";
import { repositoryPath, superviseProcess } from "@kindred/process";
import { openChannel } from "@kindred/rpc";
import { Client as PgClient } from "pg";
import { percentile } from "./statistics.ts";
import { startDatabase } from "./support/database.ts";

const { values: options } = parseArgs({
  options: {
    rate: { type: "string", default: "10000" },
    seconds: { type: "string", default: "60" },
    /** Samples of a message. */
    batch: { type: "string", default: "500" },
    clients: { type: "string", default: "4" },
    /** Processes that report, ten to a component. */
    series: { type: "string", default: "1000" },
  },
});
const rate = Number(options.rate);
const seconds = Number(options.seconds);
const batch = Number(options.batch);
const clients = Number(options.clients);
const series = Number(options.series);

const INSTANCES = 10;
const QUERY_EVERY_MS = 500;
const GOAL = 10_000;

type SampleInit = MessageInitShape<typeof MetricSampleSchema>;
type MetricsClient = Client<typeof MetricsService>;

interface Running extends AsyncDisposable {
  readonly address: string;
  readonly metricsUrl: string;
  readonly sql: PgClient;
  readonly database: string;
}

async function start(): Promise<Running> {
  await using starting = new AsyncDisposableStack();
  const server = starting.use(
    await startDatabase({
      fsync: "on",
      full_page_writes: "on",
      synchronous_commit: "on",
      max_wal_size: "4GB",
    }),
  );
  const sql = new PgClient({ connectionString: server.url });
  await sql.connect();
  starting.defer(() => sql.end());
  const service = starting.use(
    superviseProcess({
      name: "metrics",
      entry: repositoryPath("services/metrics/src/main.ts"),
      env: { DATABASE_URL: server.url, GRPC_PORT: "0", HTTP_PORT: "0", LOG_LEVEL: "warn" },
      restart: "never",
      onLog: (line) => console.error(line),
    }),
  );
  const ready = await service.ready;
  const running = starting.move();
  return {
    address: `127.0.0.1:${String(ready["grpcPort"])}`,
    metricsUrl: `http://127.0.0.1:${String(ready["httpPort"])}/metrics`,
    sql,
    database: server.description,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

let made = 0;
/** The next samples: every process in its turn, with a time of its own. */
function nextSamples(): SampleInit[] {
  const now = Date.now();
  return Array.from({ length: batch }, (_, i): SampleInit => {
    const reporter = made++ % series;
    return {
      component: `component-${Math.floor(reporter / INSTANCES)}`,
      instance: `instance-${reporter % INSTANCES}`,
      timestamp: { ...timestampFromMs(now), nanos: ((now % 1000) * 1000 + (i % 1000)) * 1000 },
      cpuUsage: (made * 7919) % 200,
      memoryUsageMb: 100 + ((made * 104_729) % 1000),
      diskUsageMb: 50_000,
      activeConnections: made % 10,
      eventLoopLagMs: (made % 37) / 4,
    };
  });
}

interface Sent {
  samples: number;
  /** How late the sender was at its end. */
  lateMs: number;
  latencies: number[];
}

/** One sender's messages at the times at which they are due. */
async function* timetable(startedAt: number, sent: Sent): AsyncGenerator<SampleInit[]> {
  const everyMs = (1000 * batch * clients) / rate;
  for (let i = 0; i * everyMs < 1000 * seconds; i++) {
    const due = startedAt + i * everyMs;
    const early = due - performance.now();
    if (early > 0) await sleep(early);
    sent.lateMs = Math.max(0, performance.now() - due);
    sent.samples += batch;
    yield nextSamples();
  }
}

async function stream(client: MetricsClient, startedAt: number): Promise<Sent> {
  const sent: Sent = { samples: 0, lateMs: 0, latencies: [] };
  async function* requests() {
    for await (const samples of timetable(startedAt, sent)) yield { samples };
  }
  const { stored } = await client.streamMetrics(requests());
  if (Number(stored) !== sent.samples) throw new Error(`${stored} samples are stored, not ${sent.samples}`);
  return sent;
}

async function report(client: MetricsClient, startedAt: number): Promise<Sent> {
  const sent: Sent = { samples: 0, lateMs: 0, latencies: [] };
  for await (const samples of timetable(startedAt, sent)) {
    const calledAt = performance.now();
    await client.reportMetrics({ samples });
    sent.latencies.push(performance.now() - calledAt);
  }
  return sent;
}

/** Milliseconds of each history of one component that is asked for until the signal is aborted. */
async function ask(client: MetricsClient, signal: AbortSignal): Promise<number[]> {
  const latencies: number[] = [];
  while (!signal.aborted) {
    const askedAt = performance.now();
    await client.queryHistory({ hours: 1, components: ["component-0"], resolution: Resolution.MINUTE });
    latencies.push(performance.now() - askedAt);
    await sleep(QUERY_EVERY_MS);
  }
  return latencies;
}

async function cpuSeconds(url: string): Promise<number> {
  const shown = await (await fetch(url)).text();
  const [, value] = /^process_cpu_seconds_total\{.*\} ([\d.e+-]+)$/m.exec(shown) ?? [];
  if (value === undefined) throw new Error(`${url} shows no process_cpu_seconds_total`);
  return Number(value);
}

async function measure(name: string, send: (client: MetricsClient, startedAt: number) => Promise<Sent>) {
  await using running = await start();
  await using channels = new AsyncDisposableStack();
  const newClient = (): MetricsClient => {
    const defaultTimeoutMs = 1000 * (seconds + 300);
    return createClient(
      MetricsService,
      channels.use(openChannel({ address: running.address, defaultTimeoutMs })).transport,
    );
  };
  const over = new AbortController();
  const cpuBefore = await cpuSeconds(running.metricsUrl);
  const startedAt = performance.now();
  let tookS = 0;
  const sending = Promise.all(Array.from({ length: clients }, () => send(newClient(), startedAt))).finally(
    () => {
      tookS = (performance.now() - startedAt) / 1000;
      over.abort();
    },
  );
  const [sent, queries] = await Promise.all([sending, ask(newClient(), over.signal)]);
  const cpu = (await cpuSeconds(running.metricsUrl)) - cpuBefore;
  const total = sent.reduce((sum, { samples }) => sum + samples, 0);
  const { rows } = await running.sql.query<{
    n: string;
    bytes: string;
    minutes: number;
    late: number | null;
  }>(`
    SELECT (SELECT count(*) FROM metrics.system_metrics WHERE component LIKE 'component-%') AS n,
           (SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits
             WHERE inhparent = 'metrics.system_metrics'::regclass) AS bytes,
           (SELECT count(DISTINCT bucket)::int FROM metrics.system_metrics_minutes) AS minutes,
           (SELECT extract(epoch FROM now() - min(bucket))::float8 FROM metrics.metric_rollups_due
             WHERE resolution = 'minute') AS late`);
  const found = rows[0] as (typeof rows)[0];
  if (Number(found.n) !== total) throw new Error(`${found.n} rows are there, not ${total}`);
  const latencies = sent.flatMap((one) => one.latencies);
  const shown: Record<string, string> = {
    "samples/s": (total / tookS).toFixed(0),
    "latest sender at its end, s": (Math.max(...sent.map(({ lateMs }) => lateMs)) / 1000).toFixed(2),
    "call p50 / p99, ms":
      latencies.length === 0
        ? "one call"
        : `${percentile(latencies, 0.5).toFixed(1)} / ${percentile(latencies, 0.99).toFixed(1)}`,
    "history p50 / max, ms": `${percentile(queries, 0.5).toFixed(0)} / ${Math.max(...queries).toFixed(0)}`,
    "service's CPU, cores": (cpu / tookS).toFixed(2),
    "bytes a sample, with indexes": (Number(found.bytes) / total).toFixed(0),
    "minutes computed": String(found.minutes),
    "oldest minute not computed began, s ago": found.late === null ? "none" : found.late.toFixed(0),
  };
  console.log(`\n${name}: ${total} samples, all of them there; ${running.database}`);
  for (const [what, value] of Object.entries(shown))
    console.log(`  ${what.padEnd(42)} ${value.padStart(12)}`);
}

console.log(
  `${rate} samples/s (goal ${GOAL}) for ${seconds} s from ${clients} senders, ${batch} a message, ${series} processes`,
);
await measure("StreamMetrics", stream);
await measure("ReportMetrics", report);
