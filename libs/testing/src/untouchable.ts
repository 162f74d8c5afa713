/**
 * For tests of what is refused before anything is asked: each of its methods fails the test, but for those that it has.
 * @param what as the error says it, e.g. "the store"
 * @param known the methods that may be called
 */
export function untouchable<T extends object>(what: string, known: Partial<T> = {}): T {
  return new Proxy(known, {
    get: (given, method) =>
      given[method as keyof T] ??
      (() => {
        throw new Error(`asked, which it should not be: ${what}, for ${String(method)}`);
      }),
  }) as T;
}
