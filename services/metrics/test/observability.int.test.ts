import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { loadConfig } from "@kindred/config";
import { MetricsService } from "@kindred/contracts/metrics/v1";
import { openChannel } from "@kindred/rpc";
import { silentLogger, testDatabase, type TestDatabase } from "@kindred/testing";
import { createApp } from "../src/app.ts";
import { configSchema } from "../src/config.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase();
}, 120_000);
afterAll(async () => {
  await database?.[Symbol.asyncDispose]();
});

test("the service shows its calls and its pool at /metrics, and its spans reach the collector that is configured", async () => {
  const delivered: string[] = [];
  const collector = createServer((request, response) => {
    void (async () => {
      delivered.push(await text(request));
      response.writeHead(200, { "content-type": "application/json" }).end("{}");
    })();
  });
  await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
  const { port } = collector.address() as AddressInfo;
  try {
    await using app = await createApp(
      loadConfig(configSchema, {
        DATABASE_URL: database.url,
        GRPC_PORT: "0",
        HTTP_PORT: "0",
        VECTOR_STORE_ADDRESS: "127.0.0.1:1",
        GENERATION_TRACKING_ADDRESS: "127.0.0.1:1",
        METRICS_SAMPLE_INTERVAL: "1h",
        OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
      }),
      { logger: silentLogger() },
    );
    await using channel = openChannel({ address: `127.0.0.1:${app.ready.grpcPort}` });
    await createClient(MetricsService, channel.transport).getMetricsHistory({ component: "nobody" });

    const shown = await (await fetch(`http://127.0.0.1:${app.ready.httpPort}/metrics`)).text();
    expect(shown).toMatch(
      /^kindred_rpc_server_duration_seconds_count\{component="metrics",service="kindred\.metrics\.v1\.MetricsService",method="GetMetricsHistory",code="OK"\} 1$/m,
    );
    const [, idle] =
      /^kindred_db_pool_connections\{state="idle",component="metrics"\} (\d+)$/m.exec(shown) ?? [];
    expect(Number(idle)).toBeGreaterThanOrEqual(1);
    for (const round of ["rollups", "retention"]) {
      expect(shown).toMatch(
        new RegExp(
          `^kindred_metrics_rounds_total\\{round="${round}",outcome="failed",component="metrics"\\} 0$`,
          "m",
        ),
      );
    }
  } finally {
    collector.close();
  }
  const spans = delivered.join("\n");
  expect(spans).toContain('"name":"kindred.metrics.v1.MetricsService/GetMetricsHistory"');
  expect(spans).toContain('"stringValue":"kindred-metrics"');
});
