import { Client, credentials, type CallOptions, type ClientDuplexStream, type Metadata } from "@grpc/grpc-js";
import {
  create,
  fromBinary,
  toBinary,
  type DescMessage,
  type DescMethodStreaming,
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type ContextValues,
  type StreamResponse,
  type Transport,
  type UnaryResponse,
} from "@connectrpc/connect";
import { activeTraceparent } from "@kindred/telemetry";
import { grpcChannelOptions } from "./grpc-options.ts";
import { withKindredErrors } from "./kindred-errors-transport.ts";
import { toHeaders, toMetadata } from "./metadata.ts";
import { DEFAULT_RETRY, mayRetry, retryDelay, type RetryPolicy } from "./retry.ts";
import { decodeStatusDetails } from "./status-details.ts";

export interface ChannelOptions {
  /** host:port, or any gRPC target: `dns:///name:port` resolves to every replica, and calls go round them. */
  address: string;
  /** Largest message, both ways; the server's limit has to be as large. Default 32 MiB. */
  maxMessageBytes?: number;
  /** Deadline of calls that set none; default 30 s. */
  defaultTimeoutMs?: number;
  retry?: RetryPolicy;
}

/** A connection to one service; one a process and peer is enough. Dispose of it to close it. */
export interface Channel extends AsyncDisposable {
  /** For `createClient(Service, channel.transport)`; its calls fail with KindredErrors. */
  readonly transport: Transport;
}

/** Opens a channel. It connects when it is first used, and again by itself; round_robin over all addresses. */
export function openChannel(options: ChannelOptions): Channel {
  const client = new Client(options.address, credentials.createInsecure(), {
    ...grpcChannelOptions(options.maxMessageBytes ?? 32 * 2 ** 20),
    "grpc.service_config": JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
    // Retries are this module's: it knows which methods may be sent again.
    "grpc.enable_retries": 0,
    // A peer that restarts is back within a second or two; grpc-js would otherwise wait up to two minutes.
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 2_000,
  });
  const transport = createTransport(client, {
    defaultTimeoutMs: options.defaultTimeoutMs ?? 30_000,
    retry: options.retry ?? DEFAULT_RETRY,
  });
  return {
    transport: withKindredErrors(transport),
    async [Symbol.asyncDispose]() {
      client.close();
    },
  };
}

const identity = (bytes: Buffer): Buffer => bytes;

function encode<D extends DescMessage>(desc: D, message: MessageInitShape<D>): Buffer {
  const bytes = toBinary(desc, create(desc, message));
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function decode<D extends DescMessage>(desc: D, bytes: Buffer): MessageShape<D> {
  try {
    return fromBinary(desc, bytes);
  } catch (error) {
    throw new ConnectError(
      `the reply is no valid ${desc.typeName}`,
      Code.Internal,
      undefined,
      undefined,
      error,
    );
  }
}

/** grpc-js's errors as Connect's; anything else passes. */
function toConnect(error: unknown): unknown {
  if (!Error.isError(error) || !("code" in error) || !("metadata" in error)) return error;
  const { code, details, metadata } = error as Error & { code: number; details: string; metadata: Metadata };
  const [trailer] = metadata.get("grpc-status-details-bin");
  return decodeStatusDetails(code, details, typeof trailer === "string" ? undefined : trailer);
}

function outgoing(header: HeadersInit | undefined): Metadata {
  const metadata = toMetadata(new Headers(header));
  const traceparent = activeTraceparent();
  if (traceparent !== undefined) metadata.set("traceparent", traceparent);
  return metadata;
}

function createTransport(
  client: Client,
  options: { defaultTimeoutMs: number; retry: RetryPolicy },
): Transport {
  async function unaryOnce<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: Buffer,
    metadata: Metadata,
    deadline: number,
    signal: AbortSignal | undefined,
  ): Promise<UnaryResponse<I, O>> {
    return new Promise((resolve, reject) => {
      let header = new Headers();
      let trailer = new Headers();
      const call = client.makeUnaryRequest(
        path(method),
        identity,
        identity,
        request,
        metadata,
        { deadline },
        (error, bytes) => {
          stop();
          if (error !== null) {
            reject(toConnect(error));
            return;
          }
          try {
            const message = decode(method.output, bytes as Buffer);
            resolve({ stream: false, service: method.parent, method, header, trailer, message });
          } catch (decodeError) {
            reject(decodeError);
          }
        },
      );
      call.on("metadata", (received) => (header = toHeaders(received)));
      call.on("status", (status) => (trailer = toHeaders(status.metadata)));
      const stop = onAbort(signal, () => call.cancel());
    });
  }

  return {
    async unary<I extends DescMessage, O extends DescMessage>(
      method: DescMethodUnary<I, O>,
      signal: AbortSignal | undefined,
      timeoutMs: number | undefined,
      header: HeadersInit | undefined,
      input: MessageInitShape<I>,
      contextValues?: ContextValues,
    ): Promise<UnaryResponse<I, O>> {
      const deadline = Date.now() + (timeoutMs ?? options.defaultTimeoutMs);
      const request = encode(method.input, input);
      for (let attempt = 2; ; attempt++) {
        throwIfAborted(signal);
        try {
          return await unaryOnce(method, request, outgoing(header), deadline, signal);
        } catch (error) {
          if (!(error instanceof ConnectError) || !mayRetry(method, contextValues)) throw error;
          const delay = retryDelay(options.retry, attempt, error);
          // The pause would outlast the deadline: what went wrong says more than DEADLINE_EXCEEDED would.
          if (delay === undefined || Date.now() + delay >= deadline) throw error;
          await pause(delay, signal);
        }
      }
    },

    async stream<I extends DescMessage, O extends DescMessage>(
      method: DescMethodStreaming<I, O>,
      signal: AbortSignal | undefined,
      timeoutMs: number | undefined,
      header: HeadersInit | undefined,
      input: AsyncIterable<MessageInitShape<I>>,
    ): Promise<StreamResponse<I, O>> {
      throwIfAborted(signal);
      // A stream has the deadline that it is given: how long it may take is for the caller to know.
      const callOptions: CallOptions = timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs };
      const call = client.makeBidiStreamRequest(
        path(method),
        identity,
        identity,
        outgoing(header),
        callOptions,
      );
      const stop = onAbort(signal, () => call.cancel());
      const trailer = new Headers();
      call.once("status", (status: { metadata: Metadata }) => {
        toHeaders(status.metadata).forEach((value, key) => trailer.set(key, value));
      });
      let sendFailure: unknown;
      const sent = sendAll(call, method.input, input).catch((error: unknown) => {
        sendFailure = error;
        call.cancel();
      });

      async function* messages(): AsyncIterable<MessageShape<O>> {
        try {
          for await (const bytes of call as AsyncIterable<Buffer>) yield decode(method.output, bytes);
          await sent;
        } catch (error) {
          // The caller's own failure to produce a message is what ended the call.
          throw sendFailure ?? toConnect(error);
        } finally {
          stop();
          call.cancel();
        }
      }
      return {
        stream: true,
        service: method.parent,
        method,
        header: new Headers(),
        trailer,
        message: messages(),
      };
    },
  };
}

const path = (method: DescMethodUnary | DescMethodStreaming): string =>
  `/${method.parent.typeName}/${method.name}`;

/** Sends each message once the stream has taken the one before. */
async function sendAll<I extends DescMessage>(
  call: ClientDuplexStream<Buffer, Buffer>,
  desc: I,
  messages: AsyncIterable<MessageInitShape<I>>,
): Promise<void> {
  let over = false;
  const ended = new Promise<void>((resolve) => {
    call.once("status", () => {
      over = true;
      resolve();
    });
  });
  for await (const message of messages) {
    // The server answered without reading on: what is left need not be produced.
    if (over) return;
    if (!call.write(encode(desc, message))) {
      await Promise.race([ended, new Promise((resolve) => call.once("drain", resolve))]);
    }
  }
  if (!over) call.end();
}

function onAbort(signal: AbortSignal | undefined, action: () => void): () => void {
  if (signal === undefined) return () => undefined;
  signal.addEventListener("abort", action, { once: true });
  return () => signal.removeEventListener("abort", action);
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return;
  if (signal.reason instanceof ConnectError) throw signal.reason;
  throw new ConnectError("the call was cancelled", Code.Canceled, undefined, undefined, signal.reason);
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(done, ms);
    const stop = onAbort(signal, done);
    function done(): void {
      clearTimeout(timer);
      stop();
      resolve();
    }
  });
  throwIfAborted(signal);
}
