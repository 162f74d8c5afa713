import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "@jest/globals";
import type { WatchMetricsResponse } from "@kindred/contracts/metrics/v1";
import { sampleStore } from "../src/adapters/postgres/sample-store.ts";
import type { NewSample } from "../src/domain/sample.ts";
import { connect, EMPTY_SAMPLE } from "./metrics-fixture.ts";
import { useMetrics } from "./use-metrics.ts";

const fixture = useMetrics({ maxWaiting: 50 });

const newSample = (component: string, cpuUsage: number): NewSample => ({
  ...EMPTY_SAMPLE,
  component,
  timestampMicros: BigInt(Date.now()) * 1000n,
  cpuUsage,
});

describe("WatchMetrics", () => {
  /** What a watcher is told, until it is stopped. */
  async function watching(request: { components?: string[]; backlogMinutes?: number }) {
    const stop = new AbortController();
    const stream = fixture.client.watchMetrics(request, { signal: stop.signal })[Symbol.asyncIterator]();
    const next = async (): Promise<WatchMetricsResponse> => {
      const { value } = await stream.next();
      return value as WatchMetricsResponse;
    };
    return {
      next,
      /** Values of the next samples. */
      async take(count: number): Promise<(number | undefined)[]> {
        const found: (number | undefined)[] = [];
        while (found.length < count) found.push(...(await next()).samples.map(({ cpuUsage }) => cpuUsage));
        return found;
      },
      [Symbol.asyncDispose]: async () => {
        stop.abort();
        await stream.next().catch(() => undefined);
      },
    };
  }

  test("tells what was, then what comes to any replica, each sample once and only of the components asked for", async () => {
    await using other = await connect(fixture.url);
    const elsewhere = sampleStore(other);
    await elsewhere.insert([newSample("a", 1), newSample("b", 2), newSample("a", 3)]);
    await using all = await watching({ backlogMinutes: 5 });
    await using onlyA = await watching({ backlogMinutes: 5, components: ["a"] });
    expect((await all.take(3)).toSorted()).toEqual([1, 2, 3]);
    expect((await onlyA.take(2)).toSorted()).toEqual([1, 3]);
    for (let i = 0; i < 20; i++)
      await elsewhere.insert([newSample("a", 100 + 2 * i), newSample("b", 101 + 2 * i)]);
    await fixture.client.reportMetrics({ samples: [{ component: "a", cpuUsage: 200 }] });
    expect(await all.take(41)).toEqual([...Array.from({ length: 40 }, (_, i) => 100 + i), 200]);
    expect(await onlyA.take(21)).toEqual([...Array.from({ length: 20 }, (_, i) => 100 + 2 * i), 200]);
  });

  test("of samples of users' own SQL, too, which have no component", async () => {
    await fixture.db.query("INSERT INTO system_metrics (cpu_usage) VALUES (1)");
    await sampleStore(fixture.db).insert([newSample("a", 2)]);
    await using nameless = await watching({ backlogMinutes: 5, components: [""] });
    expect(await nameless.take(1)).toEqual([1]);
    await sampleStore(fixture.db).insert([newSample("a", 3)]);
    await fixture.db.query("INSERT INTO system_metrics (cpu_usage) VALUES (4)");
    expect(await nameless.take(1)).toEqual([4]);
  });

  test("drops the oldest for who reads too slowly, and says how many", async () => {
    await using slow = await watching({ backlogMinutes: 1 });
    await sampleStore(fixture.db).insert([newSample("a", -0)]);
    expect((await slow.next()).samples).toHaveLength(1);
    // All at once, and more than may wait.
    await sampleStore(fixture.db).insert(Array.from({ length: 180 }, (_, i) => newSample("a", i + 1)));
    const answer = await slow.next();
    expect(answer.dropped).toBe(130n);
    expect(answer.samples.map(({ cpuUsage }) => cpuUsage)).toEqual(
      Array.from({ length: 50 }, (_, i) => 131 + i),
    );
  });
});

describe("StreamMetrics", () => {
  test("stores message by message, and counts what was there already", async () => {
    const timestamp = timestampFromMs(Date.now() - 1000);
    async function* requests() {
      yield {
        samples: [
          { component: "x", timestamp, cpuUsage: 1 },
          { component: "x", cpuUsage: 2 },
        ],
      };
      yield { samples: [{ component: "x", timestamp, cpuUsage: 1 }] };
    }
    expect(await fixture.client.streamMetrics(requests())).toMatchObject({ received: 3n, stored: 2n });
  });

  test("keeps what came before an error", async () => {
    async function* requests() {
      yield { samples: [{ component: "x", cpuUsage: 1 }] };
      yield { samples: [{ component: "x", cpuUsage: -1 }] };
      yield { samples: [{ component: "x", cpuUsage: 3 }] };
    }
    await expect(fixture.client.streamMetrics(requests())).rejects.toMatchObject({
      violations: [{ field: "samples[0].cpu_usage" }],
    });
    const { samples } = await fixture.client.getMetricsHistory({});
    expect(samples.map(({ cpuUsage }) => cpuUsage)).toEqual([1]);
  });
});
