import { listFaissDatasets, type DatasetFolder } from "@kindred/faiss";
import { isKindredError } from "@kindred/errors";
import { EXIT } from "../exit-codes.ts";
import { Failure } from "../failure.ts";

/** The data sets below a folder, at least one; or the one of this name. @throws Failure that says what there is */
export async function datasetsIn(folder: string, name?: string): Promise<readonly DatasetFolder[]> {
  const found = await asDataFailure(() => listFaissDatasets(folder));
  if (found.length === 0) {
    throw new Failure(`There is no data set in ${folder}.`, {
      exitCode: EXIT.data,
      remedy:
        "A data set is a folder with faiss_index.bin and metadata.pkl; name the folder that has them with --from.",
    });
  }
  if (name === undefined) return found;
  const dataset = found.find((one) => one.name === name);
  if (!dataset) {
    throw new Failure(`There is no data set ${name} in ${folder}.`, {
      exitCode: EXIT.data,
      remedy: `There are: ${found.map((one) => one.name).join(", ")}`,
    });
  }
  return [dataset];
}

/** What the files are not, as an exit code of its own. */
export async function asDataFailure<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isKindredError(error)) throw error;
    throw new Failure(error.message, { exitCode: EXIT.data, cause: error });
  }
}
