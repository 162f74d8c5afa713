import { isKindredError, type FieldViolation, type KindredError } from "@kindred/errors";

/** The KindredError that a call fails with. @throws Error when it succeeds, or fails with anything else. */
export async function errorOf(call: PromiseLike<unknown>): Promise<KindredError> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!isKindredError(error)) throw new Error("no KindredError", { cause: error });
  return error;
}

/** What is wrong with a request, by field. @throws Error unless the call is refused as invalid-argument. */
export async function violationsOf(call: PromiseLike<unknown>): Promise<readonly FieldViolation[]> {
  const error = await errorOf(call);
  if (error.kind !== "invalid-argument") throw new Error(`it is ${error.kind}`, { cause: error });
  return error.violations;
}

/** Likewise, each as "field description". */
export async function problemsOf(call: PromiseLike<unknown>): Promise<string[]> {
  return (await violationsOf(call)).map(({ field, description }) => `${field} ${description}`);
}

/** Likewise, the fields alone. */
export async function badFieldsOf(call: PromiseLike<unknown>): Promise<string[]> {
  return (await violationsOf(call)).map(({ field }) => field);
}
