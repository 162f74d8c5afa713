import { Metadata, type Client, type ClientDuplexStream, type StatusObject } from "@grpc/grpc-js";
import {
  create,
  fromBinary,
  toBinary,
  type DescMessage,
  type DescMethod,
  type DescMethodStreaming,
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import type { ContextValues, StreamResponse, Transport, UnaryResponse } from "@connectrpc/connect";
import { isKindredError, KindredError } from "@kindred/errors";
import { activeTraceparent, type Logger } from "@kindred/telemetry";
import { fromConnectError } from "./error-codes.ts";
import { toHeaders, toMetadata } from "./metadata.ts";
import { mayRetry, withRetry, type RetryPolicy } from "./retry.ts";
import { decodeStatusDetails } from "./status-details.ts";

export interface GrpcTransportDeps {
  client: Client;
  /** Of the peer, for messages. */
  address: string;
  /** Of unary calls that set none. */
  defaultTimeoutMs: number;
  retry: RetryPolicy;
  /** Hears of each attempt beyond the first before it is made. */
  onRetry: (method: DescMethod, error: KindredError, attempt: number, delayMs: number) => void;
  logger: Logger | undefined;
}

/** A Connect transport over a grpc-js client. Its calls fail with KindredErrors. */
export function createGrpcTransport(deps: GrpcTransportDeps): Transport {
  const { client } = deps;

  function unaryOnce<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: Buffer,
    metadata: Metadata,
    deadline: number,
    signal: AbortSignal | undefined,
  ): Promise<UnaryResponse<I, O>> {
    throwIfAborted(signal);
    return new Promise((resolve, reject) => {
      let header = new Headers();
      let reply: MessageShape<O> | undefined;
      const call = client.makeUnaryRequest(
        pathOf(method),
        passThrough,
        (bytes: Buffer) => (reply = decode(method.output, bytes)),
        request,
        metadata,
        { deadline },
        // The status event, which follows, has all that this would get, and the trailers.
        () => undefined,
      );
      const forget = onAbort(signal, () => call.cancel());
      call.on("metadata", (metadataReceived) => (header = toHeaders(metadataReceived)));
      call.on("status", (status) => {
        forget();
        if (status.code === 0 && reply !== undefined) {
          const trailer = toHeaders(status.metadata);
          resolve({ stream: false, service: method.parent, method, header, trailer, message: reply });
        } else if (status.code === 0) {
          reject(new KindredError("internal", `${pathOf(method)} answered without a message`));
        } else reject(toKindredError(status, method, signal, deps.address));
      });
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
      const deadline = deadlineAfter(timeoutMs ?? deps.defaultTimeoutMs);
      const request = encode(method.input, input);
      const metadata = outgoing(header);
      const once = () => unaryOnce(method, request, metadata, deadline, signal);
      if (!mayRetry(method, contextValues)) return once();
      return withRetry(once, {
        policy: deps.retry,
        deadline,
        signal,
        onRetry(error, attempt, delayMs) {
          deps.onRetry(method, error, attempt, delayMs);
          deps.logger?.debug(
            {
              method: pathOf(method).slice(1),
              attempt,
              delay_ms: Math.round(delayMs),
              reason: error.message,
            },
            "call is sent again",
          );
        },
      });
    },

    async stream<I extends DescMessage, O extends DescMessage>(
      method: DescMethodStreaming<I, O>,
      signal: AbortSignal | undefined,
      timeoutMs: number | undefined,
      header: HeadersInit | undefined,
      input: AsyncIterable<MessageInitShape<I>>,
    ): Promise<StreamResponse<I, O>> {
      throwIfAborted(signal);
      // On the wire the three kinds of streams are one: any number of messages each way.
      const call = client.makeBidiStreamRequest(pathOf(method), passThrough, passThrough, outgoing(header), {
        deadline: deadlineAfter(timeoutMs ?? 0),
      });
      const forget = onAbort(signal, () => call.cancel());
      const status = new Promise<StatusObject>((resolve) => {
        call.once("status", (final: StatusObject) => {
          forget();
          resolve(final);
        });
      });
      // What it says comes with the status as well; without a listener it would end the process.
      call.on("error", () => undefined);
      const trailer = new Headers();
      const responseHeader = Promise.withResolvers<Headers>();
      call.once("metadata", (sent: Metadata) => responseHeader.resolve(toHeaders(sent)));
      call.once("status", () => responseHeader.resolve(new Headers()));

      let sendError: unknown;
      let sendFailed = false;
      void sendAll(call, method.input, input).catch((error: unknown) => {
        sendFailed = true;
        sendError = error;
        call.cancel();
      });

      async function* replies(): AsyncIterable<MessageShape<O>> {
        try {
          for await (const bytes of messagesOf(call)) yield decodeReply(method.output, bytes);
          const ended = await status;
          // The caller's own failure to produce a message is what ended the call.
          if (sendFailed) throw sendError;
          if (ended.code !== 0) throw toKindredError(ended, method, signal, deps.address);
          toHeaders(ended.metadata).forEach((value, key) => trailer.set(key, value));
        } finally {
          call.cancel();
        }
      }
      return {
        stream: true,
        service: method.parent,
        method,
        header: await responseHeader.promise,
        trailer,
        message: replies(),
      };
    },
  };
}

/** Messages as they come; ends quietly with the call, whose status says how it went. */
async function* messagesOf(call: ClientDuplexStream<Buffer, Buffer>): AsyncIterable<Buffer> {
  const messages = call.iterator({ destroyOnReturn: false }) as AsyncIterableIterator<Buffer>;
  for (;;) {
    let next: IteratorResult<Buffer, undefined>;
    try {
      next = await messages.next();
    } catch {
      return;
    }
    if (next.done === true) return;
    yield next.value;
  }
}

/** Sends each message once the connection has taken the one before; stops when the peer has answered without reading on. */
async function sendAll<I extends DescMessage>(
  call: ClientDuplexStream<Buffer, Buffer>,
  desc: I,
  messages: AsyncIterable<MessageInitShape<I>>,
): Promise<void> {
  let over = false;
  let taken = Promise.withResolvers<void>();
  call.once("status", () => {
    over = true;
    taken.resolve();
  });
  call.on("drain", () => taken.resolve());
  for await (const message of messages) {
    if (over) return;
    taken = Promise.withResolvers();
    if (!call.write(encode(desc, message))) await taken.promise;
    if (over) return;
  }
  call.end();
}

const passThrough = (bytes: Buffer): Buffer => bytes;

function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

function encode<D extends DescMessage>(desc: D, message: MessageInitShape<D>): Buffer {
  const bytes = toBinary(desc, create(desc, message));
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function decode<D extends DescMessage>(desc: D, bytes: Buffer): MessageShape<D> {
  // Not the Buffer itself: `bytes` fields are made with subarray() of what is given here, and shall be Uint8Array.
  return fromBinary(desc, new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
}

function decodeReply<D extends DescMessage>(desc: D, bytes: Buffer): MessageShape<D> {
  try {
    return decode(desc, bytes);
  } catch (error) {
    throw new KindredError("internal", `the reply is no valid ${desc.typeName}`, { cause: error });
  }
}

/** Milliseconds since the epoch; Infinity for no deadline, as Connect means a timeout of 0 or less. */
function deadlineAfter(timeoutMs: number): number {
  return timeoutMs > 0 ? Date.now() + timeoutMs : Infinity;
}

function outgoing(header: HeadersInit | undefined): Metadata {
  const metadata = header === undefined ? new Metadata() : toMetadata(new Headers(header));
  const traceparent = activeTraceparent();
  if (traceparent !== undefined && metadata.get("traceparent").length === 0) {
    metadata.set("traceparent", traceparent);
  }
  return metadata;
}

/** grpc-js's own words for a peer that cannot be reached; they never come from a peer. */
const UNREACHABLE = /^(round_robin: )?(No connection established|Name resolution failed)/;

function toKindredError(
  status: StatusObject,
  method: DescMethod,
  signal: AbortSignal | undefined,
  address: string,
): KindredError {
  if (signal?.aborted === true) return abortError(signal);
  const [trailer] = status.metadata.get("grpc-status-details-bin");
  const error = fromConnectError(
    decodeStatusDetails(status.code, status.details, typeof trailer === "string" ? undefined : trailer),
  );
  if (error.kind !== "unavailable" || !UNREACHABLE.test(error.message)) return error;
  const [code = "no such name"] = /\bE[A-Z]{3,}\b/.exec(error.message) ?? [];
  return new KindredError(
    "unavailable",
    `${method.parent.typeName} cannot be reached at ${address} (${code})`,
    {
      cause: error,
    },
  );
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw abortError(signal);
}

/** Why a signal ended a call: a deadline that passed is told apart from a caller that lost interest. */
export function abortError(signal: AbortSignal): KindredError {
  const reason: unknown = signal.reason;
  if (isKindredError(reason)) return reason;
  if (Error.isError(reason)) {
    if (reason.name === "ConnectError") return fromConnectError(reason);
    if (reason.name === "TimeoutError") {
      return new KindredError("deadline-exceeded", "the deadline has passed", { cause: reason });
    }
  }
  return new KindredError("cancelled", "the call was cancelled", { cause: reason });
}

function onAbort(signal: AbortSignal | undefined, action: () => void): () => void {
  if (signal === undefined) return () => undefined;
  signal.addEventListener("abort", action, { once: true });
  return () => signal.removeEventListener("abort", action);
}
