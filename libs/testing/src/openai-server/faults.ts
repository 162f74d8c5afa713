import type { ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

/** A vector on its way out, and where it is said to belong. */
export interface AnswerRow {
  /** Undefined leaves the field out. */
  index: number | undefined;
  /** Values that are no finite number become null in JSON, and themselves in base64. */
  values: number[];
}

/** What goes wrong with one request, in place of or on top of its answer. */
export type Fault =
  /** Nothing: the request is answered. */
  | { readonly kind: "none" }
  /** An error of the API, in OpenAI's shape. */
  | {
      readonly kind: "status";
      readonly status: number;
      readonly message?: string;
      readonly type?: string;
      readonly code?: string;
      readonly param?: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** The page of a proxy that knows no JSON; with status 200 that of a login. */
  | { readonly kind: "html"; readonly status: number; readonly title?: string }
  /** The right answer, later. */
  | { readonly kind: "delay"; readonly ms: number }
  /** Half an answer, and then nothing until the client goes away. */
  | { readonly kind: "stall" }
  /** The connection is reset before there is an answer. */
  | { readonly kind: "reset" }
  /** The connection is reset in the middle of the answer. */
  | { readonly kind: "cut" }
  /** Half of the JSON, as if it were all. */
  | { readonly kind: "truncated-json" }
  /** JSON that is no answer. */
  | { readonly kind: "body"; readonly body: unknown }
  /** The right answer with these headers. */
  | { readonly kind: "headers"; readonly headers: Readonly<Record<string, string>> }
  /** The right answer without its token counts. */
  | { readonly kind: "no-usage" }
  /** The right vectors, changed. */
  | { readonly kind: "rows"; readonly change: (rows: AnswerRow[]) => AnswerRow[] };

const rows = (change: (rows: AnswerRow[]) => AnswerRow[]): Fault => ({ kind: "rows", change });
const first = (rowList: readonly AnswerRow[]): AnswerRow => rowList[0] as AnswerRow;

/** Answers that are wrong in one way each. */
export const wrongAnswers = {
  /** One dimension less than was asked for. */
  wrongDimensions: rows((all) => all.map(({ index, values }) => ({ index, values: values.slice(1) }))),
  /** Right, in another order: nothing is wrong with it if one looks at the index. */
  shuffled: rows((all) => all.toReversed()),
  missingIndex: rows((all) => all.map(({ values }) => ({ index: undefined, values }))),
  duplicateIndex: rows((all) => all.map(({ values }) => ({ index: 0, values }))),
  indexBeyondEnd: rows((all) => all.map(({ values }, i) => ({ index: i + 1, values }))),
  tooFew: rows((all) => all.slice(1)),
  tooMany: rows((all) => [...all, { index: all.length, values: first(all).values }]),
  notANumber: rows((all) => [
    { ...first(all), values: first(all).values.with(0, Number.NaN) },
    ...all.slice(1),
  ]),
  infinite: rows((all) => [
    { ...first(all), values: first(all).values.with(0, Number.POSITIVE_INFINITY) },
    ...all.slice(1),
  ]),
  zeros: rows((all) => [{ ...first(all), values: first(all).values.map(() => 0) }, ...all.slice(1)]),
} as const satisfies Record<string, Fault>;

/** Plays a fault that takes the place of the answer. @returns whether it did. */
export async function playFault(
  fault: Fault,
  response: ServerResponse,
  answer: () => string,
): Promise<boolean> {
  switch (fault.kind) {
    case "status": {
      const {
        status,
        message = `status ${status}`,
        type = "server_error",
        code = null,
        param = null,
      } = fault;
      sendJson(response, status, { error: { message, type, param, code } }, fault.headers);
      return true;
    }
    case "html": {
      const title = fault.title ?? `${fault.status} Bad Gateway`;
      response.writeHead(fault.status, { "content-type": "text/html" });
      response.end(`<!DOCTYPE html><html><head><title>${title}</title></head><body>nginx</body></html>`);
      return true;
    }
    case "stall":
      await writeHalf(response, answer());
      return true;
    case "reset":
      response.req.socket.resetAndDestroy();
      return true;
    case "cut":
      await writeHalf(response, answer());
      response.req.socket.resetAndDestroy();
      return true;
    case "truncated-json": {
      const text = answer();
      response.writeHead(200, { "content-type": "application/json" });
      response.end(text.slice(0, text.length / 2));
      return true;
    }
    case "body":
      sendJson(response, 200, fault.body);
      return true;
    case "delay":
      await delay(fault.ms, response);
      return false;
    default:
      return false;
  }
}

/** Waits, but not for a client that has gone away. */
async function delay(ms: number, response: ServerResponse): Promise<void> {
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  await sleep(ms, undefined, { signal: gone.signal }).catch(() => undefined);
}

/** Promises all of it and sends a half. Resolves when that is on its way. */
async function writeHalf(response: ServerResponse, text: string): Promise<void> {
  const length = Buffer.byteLength(text);
  response.writeHead(200, { "content-type": "application/json", "content-length": length });
  await new Promise<unknown>((resolve) => void response.write(text.slice(0, text.length / 2), resolve));
}

export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(body));
}
