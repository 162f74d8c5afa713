import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Generation, ListGenerationsRequestSchema } from "@kindred/contracts/generation-tracking/v1";
import type { Clients } from "../clients.ts";
import { patientCalls, type ReadDeps } from "./read-images.ts";

/** The contract's limit of a page. */
const PAGE_SIZE = 1_000;

/** The generations that match, newest first, a page at a time; pages begin behind a position, so that nothing is seen twice. */
export async function* readGenerations(
  clients: Pick<Clients, "generations">,
  wanted: MessageInitShape<typeof ListGenerationsRequestSchema>,
  deps: ReadDeps,
): AsyncGenerator<Generation[]> {
  const call = patientCalls(deps);
  let pageToken = "";
  do {
    const request = { ...wanted, pageSize: PAGE_SIZE, pageToken };
    const page = await call(() => clients.generations.listGenerations(request, { signal: deps.signal }));
    yield page.generations;
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
}
