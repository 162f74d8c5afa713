import type { Transport } from "@connectrpc/connect";
import { fromConnectError } from "./error-codes.ts";

/**
 * The same transport, but whatever a call fails with reaches the caller as a KindredError. It wraps the transport
 * because an interceptor cannot do this: what an interceptor throws is made a ConnectError again.
 */
export function withKindredErrors(inner: Transport): Transport {
  return {
    async unary(...call) {
      try {
        return await inner.unary(...call);
      } catch (error) {
        throw fromConnectError(error);
      }
    },
    async stream(...call) {
      try {
        const response = await inner.stream(...call);
        return { ...response, message: translated(response.message) };
      } catch (error) {
        throw fromConnectError(error);
      }
    },
  };
}

async function* translated<T>(messages: AsyncIterable<T>): AsyncIterable<T> {
  try {
    yield* messages;
  } catch (error) {
    throw fromConnectError(error);
  }
}
