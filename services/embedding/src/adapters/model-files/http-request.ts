import { messageOf } from "@kindred/errors";

export interface HttpRequest {
  readonly url: string;
  readonly method?: "GET" | "HEAD";
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent to the url's own origin only, not to where it redirects. */
  readonly token?: string | undefined;
  /** Until a server answers, for each redirect anew. */
  readonly responseMs: number;
  readonly abort: AbortController;
  /** Whether a redirect is the answer itself, and not followed. */
  readonly isAnswer?: (redirect: Response) => boolean;
}

const MAX_REDIRECTS = 5;

/** One request over HTTP that follows redirects. */
export async function request(options: HttpRequest): Promise<Response> {
  const { method = "GET", token, responseMs, abort, isAnswer = () => false } = options;
  let url = new URL(options.url);
  const { origin } = url;
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const headers: Record<string, string> = { "accept-encoding": "identity", ...options.headers };
    if (token !== undefined && url.origin === origin) headers["authorization"] = `Bearer ${token}`;
    const timer = setTimeout(() => {
      abort.abort(new Error(`no answer from ${url.host} within ${responseMs} ms`));
    }, responseMs);
    let response: Response;
    try {
      response = await fetch(url, { method, headers, redirect: "manual", signal: abort.signal });
    } catch (error) {
      if (abort.signal.aborted) throw abort.signal.reason;
      const cause = (error as Error).cause;
      throw new Error(`no connection to ${url.host}: ${messageOf(cause ?? error)}`, { cause: error });
    } finally {
      clearTimeout(timer);
    }
    const location = response.headers.get("location");
    if (response.status < 300 || response.status >= 400 || location === null || isAnswer(response)) {
      return response;
    }
    await response.body?.cancel();
    url = new URL(location, url);
    if (url.protocol !== "https:" && url.protocol !== "http:") {
      throw new Error(`redirected to ${url.protocol} which is not HTTP`);
    }
  }
  throw new Error(`more than ${MAX_REDIRECTS} redirects`);
}

/** For people: what a server answered, and what it wants where it wants a token. */
export function describeAnswer(response: Response, token: string | undefined): string {
  const answer = `the server answered ${response.status} ${response.statusText}`.trim();
  if (response.status !== 401 && response.status !== 403) return answer;
  return `${answer}; HF_TOKEN ${token === undefined ? "is not set" : "was not accepted"}`;
}
