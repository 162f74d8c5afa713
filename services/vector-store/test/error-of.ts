import { isKindredError, type KindredError } from "@kindred/errors";

/** The KindredError that a call fails with. */
export async function errorOf(call: Promise<unknown>): Promise<KindredError> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!isKindredError(error)) throw new Error("no KindredError", { cause: error });
  return error;
}
