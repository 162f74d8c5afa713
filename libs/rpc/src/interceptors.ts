import {
  Code,
  ConnectError,
  type Interceptor,
  type StreamResponse,
  type UnaryResponse,
} from "@connectrpc/connect";
import { withRemoteTrace, type Logger } from "@kindred/telemetry";
import { isKindredError } from "@kindred/errors";
import { toConnectError } from "./error-codes.ts";

/** The server's own faults, which its operators want to see. */
const FAULTS = new Set<Code>([Code.Internal, Code.Unknown, Code.DataLoss]);

/**
 * What every call goes through, on both ports and in memory, outermost first: the caller's trace becomes the active one,
 * errors are translated, and one line is logged.
 */
export function serverInterceptors(logger: Logger): Interceptor[] {
  return [traceContext, callLog(logger)];
}

const traceContext: Interceptor = (next) => (request) =>
  withRemoteTrace(request.header.get("traceparent") ?? undefined, () => next(request));

function callLog(logger: Logger): Interceptor {
  return (next) => async (request) => {
    const started = performance.now();
    const method = `${request.service.typeName}/${request.method.name}`;
    const finish = (error?: unknown): ConnectError | undefined => {
      const ms = Math.round((performance.now() - started) * 1000) / 1000;
      if (error === undefined) {
        logger.debug({ method, ms }, "call");
        return undefined;
      }
      const translated = translate(error, request.signal);
      const fields = { method, ms, code: Code[translated.code] };
      // An error that nobody declared is a defect: its stack is wanted, once, here.
      if (FAULTS.has(translated.code)) logger.error({ ...fields, err: error }, "call failed");
      else logger.debug({ ...fields, reason: translated.rawMessage }, "call failed");
      return translated;
    };

    let response: UnaryResponse | StreamResponse;
    try {
      response = await next(request);
    } catch (error) {
      throw finish(error) as ConnectError;
    }
    if (!response.stream) {
      finish();
      return response;
    }
    // A stream's call ends with its last message.
    return { ...response, message: observed(response.message, finish) };
  };
}

async function* observed<T>(
  messages: AsyncIterable<T>,
  finish: (error?: unknown) => ConnectError | undefined,
): AsyncIterable<T> {
  let reported = false;
  try {
    yield* messages;
    reported = true;
    finish();
  } catch (error) {
    reported = true;
    throw finish(error) as ConnectError;
  } finally {
    // The caller went away in the middle.
    if (!reported) finish(new ConnectError("the caller went away", Code.Canceled));
  }
}

/** What aborted the call explains an error better than whatever the abort broke on its way. */
function translate(error: unknown, signal: AbortSignal): ConnectError {
  if (signal.aborted && !isKindredError(error) && !(error instanceof ConnectError)) {
    const reason: unknown = signal.reason;
    if (reason instanceof ConnectError) return reason;
    return new ConnectError("the call was cancelled", Code.Canceled, undefined, undefined, error);
  }
  return toConnectError(error);
}
