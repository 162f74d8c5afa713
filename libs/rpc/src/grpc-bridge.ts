import type { EventEmitter } from "node:events";
import type {
  MethodDefinition,
  sendUnaryData,
  ServerDuplexStream,
  ServerReadableStream,
  ServerUnaryCall,
  ServerWritableStream,
  ServiceDefinition,
  ServiceError,
  UntypedServiceImplementation,
} from "@grpc/grpc-js";
import {
  fromBinary,
  toBinary,
  type DescMessage,
  type DescService,
  type MessageShape,
} from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  createHandlerContext,
  createServiceImplSpec,
  type HandlerContext,
  type Interceptor,
  type MethodImplSpec,
  type ServiceImpl,
} from "@connectrpc/connect";
import { transformInvokeImplementation } from "@connectrpc/connect/protocol";
import { toConnectError } from "./error-codes.ts";
import { toHeaders, toMetadata } from "./metadata.ts";
import { encodeStatusDetails } from "./status-details.ts";

export interface GrpcService {
  definition: ServiceDefinition;
  implementation: UntypedServiceImplementation;
}

type AnyCall =
  | ServerUnaryCall<Buffer, Buffer>
  | ServerReadableStream<Buffer, Buffer>
  | ServerWritableStream<Buffer, Buffer>
  | ServerDuplexStream<Buffer, Buffer>;

/**
 * A Connect service implementation as one for a grpc-js server. Messages cross grpc-js as bytes and are decoded here, so
 * that a malformed one is the caller's INVALID_ARGUMENT and not grpc-js's INTERNAL.
 */
export function bridgeService<D extends DescService>(
  service: D,
  impl: Partial<ServiceImpl<D>>,
  options: { interceptors: Interceptor[]; shutdownSignal: AbortSignal },
): GrpcService {
  const spec = createServiceImplSpec(service, impl);
  const definition: Record<string, MethodDefinition<Buffer, Buffer>> = {};
  const implementation: UntypedServiceImplementation = {};
  for (const [name, method] of Object.entries(spec.methods)) {
    definition[name] = {
      path: `/${service.typeName}/${method.method.name}`,
      requestStream: method.kind === "client_streaming" || method.kind === "bidi_streaming",
      responseStream: method.kind === "server_streaming" || method.kind === "bidi_streaming",
      requestSerialize: (bytes) => bytes,
      requestDeserialize: (bytes) => bytes,
      responseSerialize: (bytes) => bytes,
      responseDeserialize: (bytes) => bytes,
    };
    implementation[name] = handler(service, method, options);
  }
  return { definition, implementation };
}

function handler(
  service: DescService,
  spec: MethodImplSpec,
  options: { interceptors: Interceptor[]; shutdownSignal: AbortSignal },
) {
  const { method } = spec;
  const invoke = (
    call: AnyCall,
    requests: AsyncIterable<Buffer>,
    context: HandlerContext,
  ): AsyncIterable<Buffer> => {
    const messages = transformInvokeImplementation(
      spec,
      context,
      options.interceptors,
    )(decoded(method.input, requests));
    return encoded(method.output, messages, () => {
      call.sendMetadata(toMetadata(context.responseHeader));
    });
  };
  const contextOf = (call: AnyCall) => {
    const deadline = call.getDeadline();
    const timeoutMs = deadline === Infinity ? undefined : Math.max(0, Number(deadline) - Date.now());
    const cancelled = new AbortController();
    (call as EventEmitter).once("cancelled", () =>
      cancelled.abort(new ConnectError("the caller cancelled the call", Code.Canceled)),
    );
    return createHandlerContext({
      service,
      method,
      protocolName: "grpc",
      requestMethod: "POST",
      url: `grpc:/${call.getPath()}`,
      requestHeader: toHeaders(call.metadata),
      requestSignal: cancelled.signal,
      shutdownSignal: options.shutdownSignal,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
  };

  const replyOnce = async (
    call: ServerUnaryCall<Buffer, Buffer> | ServerReadableStream<Buffer, Buffer>,
    requests: AsyncIterable<Buffer>,
    callback: sendUnaryData<Buffer>,
  ): Promise<void> => {
    const context = contextOf(call);
    try {
      const bytes = await single(invoke(call, requests, context));
      callback(null, bytes, toMetadata(context.responseTrailer));
    } catch (error) {
      callback(toServiceError(error));
    } finally {
      context.abort();
    }
  };
  const replyMany = async (
    call: ServerWritableStream<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>,
    requests: AsyncIterable<Buffer>,
  ): Promise<void> => {
    const context = contextOf(call);
    try {
      await writeAll(call, invoke(call, requests, context), context.signal);
      call.end(toMetadata(context.responseTrailer));
    } catch (error) {
      call.emit("error", toServiceError(error));
    } finally {
      context.abort();
    }
  };

  switch (spec.kind) {
    case "unary":
      return (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) =>
        replyOnce(call, once(call.request), callback);
    case "client_streaming":
      return (call: ServerReadableStream<Buffer, Buffer>, callback: sendUnaryData<Buffer>) =>
        replyOnce(call, call, callback);
    case "server_streaming":
      return (call: ServerWritableStream<Buffer, Buffer>) => replyMany(call, once(call.request));
    case "bidi_streaming":
      return (call: ServerDuplexStream<Buffer, Buffer>) => replyMany(call, call);
  }
}

/** Writes with backpressure: the next message is asked for once the stream has taken the one before. */
async function writeAll(
  call: ServerWritableStream<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>,
  messages: AsyncIterable<Buffer>,
  signal: AbortSignal,
): Promise<void> {
  for await (const bytes of messages) {
    if (call.write(bytes)) continue;
    await new Promise<void>((resolve) => {
      const go = (): void => {
        call.off("drain", go);
        signal.removeEventListener("abort", go);
        resolve();
      };
      call.once("drain", go);
      signal.addEventListener("abort", go, { once: true });
    });
    signal.throwIfAborted();
  }
}

async function* once<T>(value: T): AsyncIterable<T> {
  yield value;
}

async function single(messages: AsyncIterable<Buffer>): Promise<Buffer> {
  for await (const bytes of messages) return bytes;
  throw new Error("the implementation gave no reply");
}

async function* decoded<D extends DescMessage>(
  desc: D,
  buffers: AsyncIterable<Buffer>,
): AsyncIterable<MessageShape<D>> {
  for await (const bytes of buffers) {
    let message: MessageShape<D>;
    try {
      message = fromBinary(desc, bytes);
    } catch (error) {
      const reason = Error.isError(error) ? error.message : String(error);
      throw new ConnectError(`the request is no valid ${desc.typeName}: ${reason}`, Code.InvalidArgument);
    }
    yield message;
  }
}

async function* encoded<D extends DescMessage>(
  desc: D,
  messages: AsyncIterable<MessageShape<D>>,
  beforeFirst: () => void,
): AsyncIterable<Buffer> {
  let first = true;
  for await (const message of messages) {
    if (first) beforeFirst();
    first = false;
    const bytes = toBinary(desc, message);
    yield Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
}

/** Error as grpc-js sends it: code, message, the details as grpc-status-details-bin, and the error's own metadata. */
function toServiceError(error: unknown): ServiceError {
  const translated = toConnectError(error);
  const metadata = toMetadata(translated.metadata);
  const details = encodeStatusDetails(translated);
  if (details !== undefined) metadata.set("grpc-status-details-bin", details);
  // Connect's codes have gRPC's numbers.
  return Object.assign(new Error(translated.rawMessage), {
    code: translated.code as number,
    details: translated.rawMessage,
    metadata,
  });
}
