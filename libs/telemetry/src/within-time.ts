/** What the promise resolves to, or `otherwise` when that takes longer; a rejection after that time goes unheard. */
export async function withinTime<T, U>(promise: Promise<T>, timeoutMs: number, otherwise: U): Promise<T | U> {
  const late = Promise.withResolvers<U>();
  const timer = setTimeout(() => late.resolve(otherwise), timeoutMs).unref();
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
