import type { Metrics } from "@kindred/telemetry";
import type { Outbox, OutboxState } from "../../domain/outbox/outbox.ts";
import type { OutboxObserver } from "../../domain/outbox/outbox-worker.ts";

/** The figures of one look at the outbox are shared by those that are asked for together. */
const FRESH_MS = 1000;
/**
 * Prometheus gives a scrape up after ten seconds: who waited for a connection so long would show nothing, least of all that there is none free.
 */
const TIMEOUT_MS = 2000;

/** What the service tells Prometheus about the outbox of prompts. The gauges are the database's, and so the same of every replica. */
export function outboxMetrics(metrics: Metrics, outbox: Pick<Outbox, "state">): OutboxObserver {
  let looked: { at: number; state: Promise<OutboxState> } | undefined;
  const gauge = (name: `kindred_${string}`, help: string, of: (state: OutboxState) => number): void => {
    const collect = async (): Promise<number> => {
      if (!looked || performance.now() - looked.at > FRESH_MS)
        looked = { at: performance.now(), state: outbox.state({ timeoutMs: TIMEOUT_MS }) };
      try {
        return of(await looked.state);
      } catch {
        // While the database is away, or busy, nobody knows; health says so, and the other metrics are there all the same.
        return NaN;
      }
    };
    metrics.gauge({ name, help, collect });
  };
  gauge(
    "kindred_generation_outbox_pending",
    "Generations that the vector store has to be told of, to add or to remove their prompts; counted up to 100,000.",
    ({ waiting }) => waiting,
  );
  gauge(
    "kindred_generation_outbox_oldest_seconds",
    "How long the oldest of the pending ones waits; 0 when there is none.",
    ({ oldestSeconds }) => oldestSeconds,
  );
  gauge(
    "kindred_generation_outbox_set_aside",
    "Generations whose prompts the vector store did not take, and which are not tried again; counted up to 100,000.",
    ({ setAside }) => setAside,
  );
  const told = metrics.counter({
    name: "kindred_generation_outbox_told_total",
    help: "Generations that this replica told the vector store of, by how that ended.",
    labels: ["outcome"],
  });
  return {
    told: (outcome, count) => {
      if (count > 0) told.inc({ outcome }, count);
    },
  };
}
