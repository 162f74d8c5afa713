import type { EventEmitter } from "node:events";
import { setImmediate } from "node:timers/promises";
import {
  type handleBidiStreamingCall,
  type handleClientStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  type MethodDefinition,
  type ServerDuplexStream,
  type ServerErrorResponse,
  type ServerReadableStream,
  type ServerUnaryCall,
  type sendUnaryData,
  type ServerWritableStream,
  type ServiceDefinition,
  type UntypedHandleCall,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { fromBinary, toBinary, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  createHandlerContext,
  type Interceptor,
  type MethodImplSpec,
} from "@connectrpc/connect";
import { invokeUnaryImplementation, transformInvokeImplementation } from "@connectrpc/connect/protocol";
import { messageOf } from "@kindred/errors";
import { malformedRequest, toConnectError } from "./error-codes.ts";
import { toHeaders, toMetadata } from "./metadata.ts";
import { encodeStatusDetails } from "./status-details.ts";

export interface BridgeOptions {
  interceptors: Interceptor[];
  /** Largest message sent, in bytes. */
  maxMessageBytes: number;
  /** Aborts the calls in flight; its reason is the ConnectError that their callers get. */
  shutdownSignal: AbortSignal;
  /** Throws when new calls are refused. */
  gate: () => void;
  /** Receives what was thrown outside of the interceptors and is nobody's declared error. */
  onFault: (error: unknown, path: string) => void;
}

type AnyCall =
  | ServerUnaryCall<Buffer, Buffer>
  | ServerReadableStream<Buffer, Buffer>
  | ServerWritableStream<Buffer, Buffer>
  | ServerDuplexStream<Buffer, Buffer>;

type ResponseStream = ServerWritableStream<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>;

type Context = ReturnType<typeof createHandlerContext>;

const passThrough = (bytes: Buffer): Buffer => bytes;

/**
 * Connect method implementations in the form that a grpc-js server takes. Messages cross grpc-js as bytes and are decoded
 * here, so that a malformed one is the caller's INVALID_ARGUMENT and not grpc-js's INTERNAL.
 */
export function bridge(
  methods: readonly MethodImplSpec[],
  options: BridgeOptions,
): { definition: ServiceDefinition; implementation: UntypedServiceImplementation } {
  const definition: Record<string, MethodDefinition<Buffer, Buffer>> = {};
  const implementation: UntypedServiceImplementation = {};
  for (const spec of methods) {
    const path = pathOf(spec);
    definition[path] = {
      path,
      requestStream: spec.kind === "client_streaming" || spec.kind === "bidi_streaming",
      responseStream: spec.kind === "server_streaming" || spec.kind === "bidi_streaming",
      requestSerialize: passThrough,
      requestDeserialize: passThrough,
      responseSerialize: passThrough,
      responseDeserialize: passThrough,
    };
    implementation[path] = handlerOf(spec, options);
  }
  return { definition, implementation };
}

export function pathOf(spec: MethodImplSpec): string {
  return `/${spec.method.parent.typeName}/${spec.method.name}`;
}

function handlerOf(spec: MethodImplSpec, options: BridgeOptions): UntypedHandleCall {
  const { method } = spec;
  const path = pathOf(spec);
  const { interceptors, maxMessageBytes } = options;

  const failure = (error: unknown): ServerErrorResponse => {
    if (!(error instanceof ConnectError)) options.onFault(error, path);
    return toServerError(error);
  };

  /** Answers with one message, or with an error. */
  const answer = async (
    call: ServerUnaryCall<Buffer, Buffer> | ServerReadableStream<Buffer, Buffer>,
    callback: sendUnaryData<Buffer>,
    work: (context: Context) => Promise<MessageShape<DescMessage>>,
  ): Promise<void> => {
    const context = contextOf(call, spec, options.shutdownSignal);
    try {
      options.gate();
      const bytes = encode(method.output, await work(context), maxMessageBytes);
      call.sendMetadata(toMetadata(context.responseHeader));
      callback(null, bytes, toMetadata(context.responseTrailer));
    } catch (error) {
      callback(failure(error));
    }
    context.abort(ANSWERED);
  };
  const unary: handleUnaryCall<Buffer, Buffer> = (call, callback) =>
    void answer(call, callback, (context) =>
      // The kind is known: this handler is returned for unary methods only.
      invokeUnaryImplementation(spec as UnarySpec, context, decode(method.input, call.request), interceptors),
    );
  const clientStreaming: handleClientStreamingCall<Buffer, Buffer> = (call, callback) =>
    void answer(call, callback, (context) =>
      only(
        transformInvokeImplementation(
          spec,
          context,
          interceptors,
        )(requestsOf(call, method.input, context.signal)),
      ),
    ).finally(() => drop(call));

  /** Answers with any number of messages, and with an error if there was one. */
  const answerAll = async (
    call: ResponseStream,
    requestsOfCall: (signal: AbortSignal) => AsyncIterable<MessageShape<DescMessage>>,
  ): Promise<void> => {
    const context = contextOf(call, spec, options.shutdownSignal);
    try {
      options.gate();
      const requests = requestsOfCall(context.signal);
      let headerSent = false;
      for await (const message of transformInvokeImplementation(spec, context, interceptors)(requests)) {
        if (!headerSent) call.sendMetadata(toMetadata(context.responseHeader));
        headerSent = true;
        const bytes = encode(method.output, message, maxMessageBytes);
        // Backpressure: the next message is asked for once the connection has taken this one.
        if (!call.write(bytes)) await drained(call, context.signal);
      }
      call.end(toMetadata(context.responseTrailer));
    } catch (error) {
      call.emit("error", failure(error));
    }
    context.abort(ANSWERED);
  };
  const serverStreaming: handleServerStreamingCall<Buffer, Buffer> = (call) =>
    void answerAll(call, () => once(() => decode(method.input, call.request)));
  const bidiStreaming: handleBidiStreamingCall<Buffer, Buffer> = (call) =>
    void answerAll(call, (signal) => requestsOf(call, method.input, signal)).finally(() => drop(call));

  switch (spec.kind) {
    case "unary":
      return unary;
    case "client_streaming":
      return clientStreaming;
    case "server_streaming":
      return serverStreaming;
    case "bidi_streaming":
      return bidiStreaming;
  }
}

type UnarySpec = Extract<MethodImplSpec, { kind: "unary" }>;

function contextOf(call: AnyCall, spec: MethodImplSpec, shutdownSignal: AbortSignal): Context {
  const deadline = call.getDeadline();
  const cancelled = new AbortController();
  const context = createHandlerContext({
    service: spec.method.parent,
    method: spec.method,
    protocolName: "grpc",
    requestMethod: "POST",
    url: `http://${call.getHost()}${call.getPath()}`,
    requestHeader: toHeaders(call.metadata),
    requestSignal: cancelled.signal,
    shutdownSignal,
    ...(deadline === Infinity ? {} : { timeoutMs: Math.max(0, Number(deadline) - Date.now()) }),
  });
  (call as EventEmitter).once("cancelled", () => {
    // grpc-js calls this a cancellation: the caller's, a passed deadline (its timer may come before the context's), and
    // the end of any call.
    if (context.signal.aborted) return;
    const late = deadline !== Infinity && Date.now() >= Number(deadline);
    cancelled.abort(
      late
        ? new ConnectError("the deadline has passed", Code.DeadlineExceeded)
        : new ConnectError("the caller cancelled the call", Code.Canceled),
    );
  });
  return context;
}

/** Why the signal of a call that was answered aborts. Made once: without a reason every call would make a DOMException. */
const ANSWERED = new ConnectError("the call was answered", Code.Canceled);

/** What the caller still sends is read and dropped: unread, it would hold the connection's flow control window. */
function drop(call: ServerReadableStream<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>): void {
  if (!call.destroyed) call.resume();
}

/** Resolves when the stream takes more. @throws the reason of the signal. */
async function drained(call: ResponseStream, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  call.once("drain", resolve);
  signal.addEventListener("abort", () => resolve(), { once: true });
  await promise;
  call.off("drain", resolve);
  signal.throwIfAborted();
}

async function* once<T>(value: () => T): AsyncIterable<T> {
  yield value();
}

/**
 * The requests of a stream. Ending the iteration early leaves the stream open: there is an answer to send yet.
 * @throws the signal's reason when the caller cancels: what came so far is then not all.
 */
async function* requestsOf(
  call: ServerReadableStream<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>,
  desc: DescMessage,
  signal: AbortSignal,
): AsyncIterable<MessageShape<DescMessage>> {
  for await (const bytes of call.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    yield decode(desc, bytes);
  }
  // A stream that is reset ends in Node before it closes, and grpc-js passes that end on as if the caller had said that
  // this was all; that the call is cancelled comes a few ticks later. Half an import must not look like a whole one.
  await setImmediate();
  signal.throwIfAborted();
}

async function only<T>(messages: AsyncIterable<T>): Promise<T> {
  const all = await Array.fromAsync(messages);
  if (all.length !== 1) throw new Error(`one reply was expected, the implementation gave ${all.length}`);
  return all[0] as T;
}

function decode<D extends DescMessage>(desc: D, bytes: Buffer): MessageShape<D> {
  try {
    // Not the Buffer itself: `bytes` fields are made with subarray() of what is given here, and shall be Uint8Array.
    return fromBinary(desc, new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  } catch (error) {
    throw malformedRequest(messageOf(error));
  }
}

function encode<D extends DescMessage>(desc: D, message: MessageShape<D>, maxBytes: number): Buffer {
  const bytes = toBinary(desc, message);
  if (bytes.byteLength > maxBytes) {
    throw new ConnectError(
      `the response has ${bytes.byteLength} bytes, more than the ${maxBytes} that are allowed: ask for less at a time`,
      Code.ResourceExhausted,
    );
  }
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Error as grpc-js sends it: code, message, the details as grpc-status-details-bin, and the error's own metadata. */
function toServerError(error: unknown): ServerErrorResponse {
  const translated = toConnectError(error);
  const metadata = toMetadata(translated.metadata);
  const details = encodeStatusDetails(translated);
  if (details !== undefined) metadata.set("grpc-status-details-bin", details);
  // Connect's codes have gRPC's numbers.
  const code: number = translated.code;
  return Object.assign(new Error(translated.rawMessage), { code, details: translated.rawMessage, metadata });
}
