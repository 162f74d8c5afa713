import {
  Code,
  ConnectError,
  createContextKey,
  type Interceptor,
  type StreamResponse,
  type UnaryResponse,
} from "@connectrpc/connect";
import { isKindredError } from "@kindred/errors";
import type { Logger } from "@kindred/telemetry";
import { blameCaller, toConnectError } from "./error-codes.ts";
import { mapSteps, watchEnd } from "./message-steps.ts";
import { observeServer, type Observation } from "./observe-server.ts";

/** Set on a call whose error went through these interceptors: what fails without it failed in the transport. */
export const failedInside = createContextKey(false, { description: "error seen by the interceptors" });

/** The server's own faults, which its operators want to see. */
const FAULTS = new Set<Code>([Code.Internal, Code.Unknown, Code.DataLoss]);

/**
 * What every call goes through, on both ports and in memory, outermost first: the caller's trace becomes the active one, and
 * the call is measured; one line is logged and errors are translated; an aborted call is answered at once.
 */
export function serverInterceptors(logger: Logger, observation: Observation = {}): Interceptor[] {
  return [observeServer(observation), callLog(logger), answerAborts(logger)];
}

function callLog(logger: Logger): Interceptor {
  return (next) => async (request) => {
    const started = performance.now();
    const method = `${request.service.typeName}/${request.method.name}`;
    const succeeded = (): void => logger.debug({ method, ms: since(started) }, "call");
    const failed = (error: unknown): ConnectError => {
      request.contextValues.set(failedInside, true);
      const translated = translate(error, request.signal);
      const fields = { method, ms: since(started), code: Code[translated.code] };
      // What nobody declared is a defect: its stack is wanted, once, here.
      if (FAULTS.has(translated.code)) logger.warn({ ...fields, err: error }, "call failed");
      else logger.debug({ ...fields, reason: translated.rawMessage }, "call failed");
      return translated;
    };

    let response: UnaryResponse | StreamResponse;
    try {
      response = await next(request);
    } catch (error) {
      throw failed(error);
    }
    if (!response.stream) {
      succeeded();
      return response;
    }
    // A stream's call ends with its last message.
    return {
      ...response,
      message: watchEnd(response.message, {
        succeeded,
        failed,
        abandoned: () => void failed(new ConnectError("the caller went away", Code.Canceled)),
      }),
    };
  };
}

/** Answers at the deadline, on cancellation and on shutdown even where the implementation does not watch its signal. */
function answerAborts(logger: Logger): Interceptor {
  return (next) => async (request) => {
    const { signal } = request;
    const late = (error: unknown): void => {
      if (error === signal.reason) return;
      logger.debug({ method: request.method.name, err: error }, "the work of an aborted call failed");
    };
    const response = await unlessAborted(() => next(request), signal, late);
    if (!response.stream) return response;
    return {
      ...response,
      message: mapSteps(
        response.message,
        (step) => unlessAborted(step, signal, late),
        // A generator that is still busy ends, and cleans up, where it yields next.
        (it) => void it.return?.().catch(late),
      ),
    };
  };
}

/**
 * What `work` gives, or the signal's reason as soon as that aborts.
 * @param late receives the error of work that fails after the abort; nobody else would see it.
 */
function unlessAborted<T>(
  work: () => Promise<T>,
  signal: AbortSignal,
  late: (error: unknown) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason as Error);
      return;
    }
    const onAbort = (): void => reject(signal.reason as Error);
    signal.addEventListener("abort", onAbort, { once: true });
    work()
      .then(resolve, (error: unknown) => {
        if (signal.aborted) late(error);
        reject(error as Error);
      })
      .finally(() => signal.removeEventListener("abort", onAbort));
  });
}

/** What aborted the call explains an error better than whatever the abort broke on its way. */
function translate(error: unknown, signal: AbortSignal): ConnectError {
  if (error instanceof ConnectError) return blameCaller(error);
  if (!signal.aborted || isKindredError(error)) return toConnectError(error);
  const reason: unknown = signal.reason;
  if (reason instanceof ConnectError || isKindredError(reason)) return toConnectError(reason);
  return new ConnectError("the call was cancelled", Code.Canceled, undefined, undefined, error);
}

/** Milliseconds with three decimals. */
function since(started: number): number {
  return Math.round((performance.now() - started) * 1000) / 1000;
}
