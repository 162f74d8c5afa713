import { startEmbeddedServer } from "@kindred/postgres";
import { resolvePlaces } from "@kindred/process";
import { silentLogger, temporaryFolder } from "@kindred/testing";

/** A benchmark's own PostgreSQL; disposing of it ends it and removes its data. */
export interface BenchDatabase extends AsyncDisposable {
  readonly url: string;
  /** What it is, for people. */
  readonly description: string;
}

/** Where it is not the disk that is measured. */
export const NOTHING_TO_LOSE = { fsync: "off", full_page_writes: "off", synchronous_commit: "off" };

/** @param settings of PostgreSQL, over those that every embedded server has */
export async function startDatabase(settings: Record<string, string>): Promise<BenchDatabase> {
  await using starting = new AsyncDisposableStack();
  const folder = starting.use(await temporaryFolder());
  const { url, description } = starting.use(
    await startEmbeddedServer({
      kind: "native",
      dataDir: folder.path,
      cacheDir: resolvePlaces(process.env).cache,
      logger: silentLogger(),
      settings,
    }),
  );
  const running = starting.move();
  return { url, description, [Symbol.asyncDispose]: () => running.disposeAsync() };
}
