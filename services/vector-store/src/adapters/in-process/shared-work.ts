import { KindredError } from "@kindred/errors";

interface Running<T> {
  result: Promise<T>;
  controller: AbortController;
  waiting: number;
}

/** Work that several callers want at the same time is done once, and ended when none of them waits any more. */
export class SharedWork<T> {
  readonly #running = new Map<string, Running<T>>();

  /**
   * What the work of that name gives: the one that is under way, or a new one.
   * @param signal of this caller, who alone goes when it is aborted
   */
  async join(
    name: string,
    signal: AbortSignal | undefined,
    start: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    signal?.throwIfAborted();
    const work = this.#running.get(name) ?? this.#start(name, start);
    work.waiting++;
    const left = Promise.withResolvers<never>();
    const leave = (): void => left.reject(signal?.reason);
    signal?.addEventListener("abort", leave, { once: true });
    try {
      return await Promise.race([work.result, left.promise]);
    } finally {
      signal?.removeEventListener("abort", leave);
      if (--work.waiting === 0) {
        // Whoever comes now must not join what is about to end.
        this.#forget(name, work);
        work.controller.abort(new KindredError("cancelled", "nobody waits for it any more"));
      }
    }
  }

  #start(name: string, start: (signal: AbortSignal) => Promise<T>): Running<T> {
    const controller = new AbortController();
    const work: Running<T> = { result: start(controller.signal), controller, waiting: 0 };
    this.#running.set(name, work);
    const forget = (): void => this.#forget(name, work);
    work.result.then(forget, forget);
    return work;
  }

  #forget(name: string, work: Running<T>): void {
    if (this.#running.get(name) === work) this.#running.delete(name);
  }
}
