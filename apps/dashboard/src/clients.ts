import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { MetricsService } from "@kindred/contracts/metrics/v1";
import { IndexService, SearchService } from "@kindred/contracts/vector-store/v1";

const transport = createConnectTransport({
  baseUrl: location.origin,
  useHttpGet: true,
  defaultTimeoutMs: 15_000,
});

export const searchClient = createClient(SearchService, transport);
export const indexClient = createClient(IndexService, transport);
export const metricsClient = createClient(MetricsService, transport);

/** What went wrong, and what to do about it, in one sentence for people. */
export function explain(error: unknown): string {
  const { code, rawMessage } = ConnectError.from(error);
  switch (code) {
    case Code.Unavailable:
      return `A service is away (${rawMessage}). Its state is shown above; try again in a moment.`;
    case Code.DeadlineExceeded:
      return "That took too long. Try again, or ask for fewer hits.";
    default:
      return rawMessage;
  }
}
