import { Client, credentials } from "@grpc/grpc-js";
import type { Transport } from "@connectrpc/connect";
import type { Logger, Metrics } from "@kindred/telemetry";
import { createGrpcTransport } from "./grpc-transport.ts";
import { FLOW_CONTROL_WINDOW_BYTES } from "./grpc-server.ts";
import { clientObserver } from "./observe-client.ts";
import { DEFAULT_RETRY, type RetryPolicy } from "./retry.ts";

export interface ChannelOptions {
  /** host:port, or any gRPC target: `dns:///name:port` resolves to every replica, and calls go round them. */
  address: string;
  /** Largest message, both ways; the server's limit has to be as large. Default 32 MiB. */
  maxMessageBytes?: number;
  /** Deadline of unary calls that set none; default 30 s. Streams have only the deadline that they are given. */
  defaultTimeoutMs?: number;
  /** How calls that may be sent again are; `attempts: 1` for never. */
  retry?: RetryPolicy;
  /** Hears of retries, at level debug. */
  logger?: Logger;
  /** Gets the durations and the retries of the calls: kindred_rpc_client_…, with the address as `peer`. */
  metrics?: Metrics;
}

/** A connection to one service; one a process and peer is enough. Dispose of it to close it. */
export interface Channel extends AsyncDisposable {
  /**
   * For `createClient(Service, channel.transport)`. Calls are spans of the active trace, which they carry, have a deadline, are cancelled by their
   * signal, and fail with KindredErrors. Unary reads (idempotency NO_SIDE_EFFECTS) and calls marked `retryable` are sent
   * again when the peer is UNAVAILABLE, as long as the deadline allows.
   */
  readonly transport: Transport;
}

/** Opens a channel. It connects when it is first used, and again by itself. */
export function openChannel(options: ChannelOptions): Channel {
  const maxMessageBytes = options.maxMessageBytes ?? 32 * 2 ** 20;
  const client = new Client(options.address, credentials.createInsecure(), {
    // No retryPolicy: retries are this package's, which knows what may be sent again. `grpc.enable_retries` stays on all the
    // same: without it a call that a closing connection refused unseen would fail instead of going to the next one.
    "grpc.service_config": JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
    "grpc.service_config_disable_resolution": 1,
    "grpc.max_receive_message_length": maxMessageBytes,
    "grpc.max_send_message_length": maxMessageBytes,
    "grpc-node.flow_control_window": FLOW_CONTROL_WINDOW_BYTES,
    "grpc.keepalive_time_ms": 30_000,
    "grpc.keepalive_timeout_ms": 10_000,
    // A peer that restarts is back within seconds; grpc-js would otherwise wait up to two minutes.
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 2_000,
    "grpc.dns_min_time_between_resolutions_ms": 5_000,
    // Peers are neighbours; a proxy for the way out of the network is not on the way to them.
    "grpc.enable_http_proxy": 0,
  });
  const observer = clientObserver({ peer: options.address, metrics: options.metrics });
  const transport = createGrpcTransport({
    client,
    address: options.address,
    defaultTimeoutMs: options.defaultTimeoutMs ?? 30_000,
    retry: options.retry ?? DEFAULT_RETRY,
    onRetry: observer.retrying,
    logger: options.logger,
  });
  return {
    transport: observer.observe(transport),
    async [Symbol.asyncDispose]() {
      client.close();
    },
  };
}
