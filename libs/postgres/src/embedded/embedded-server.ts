import { mkdir } from "node:fs/promises";
import { isKindredError, KindredError, messageOf } from "@kindred/errors";
import type { Logger } from "@kindred/telemetry";
import { findInstalledPostgres, type PostgresBinaries } from "./binaries.ts";
import { clusterPaths, clusterVersion } from "./cluster.ts";
import { nativePostgres } from "./native-package.ts";
import { startNativeServer } from "./native-server.ts";
import { lockDataFolder } from "./owner-lock.ts";
import type { Progress } from "./progress.ts";

export interface EmbeddedServerOptions {
  /** "native" takes a PostgreSQL on PATH as well; "auto" falls back to PGlite. */
  kind: "auto" | "native" | "pglite";
  /** What the database is; made when it is not there. */
  dataDir: string;
  /** What can be fetched or made again: programs, templates. */
  cacheDir: string;
  /** On 127.0.0.1; 0, the default, is any free one. */
  port?: number;
  onProgress?: (progress: Progress) => void;
  logger: Logger;
  /** postgresql.conf settings of a native server, over those that follow from the machine. */
  settings?: Readonly<Record<string, string>>;
}

/** A database server that belongs to this process: it is stopped by disposing of it, and when this process dies. */
export interface EmbeddedServer extends AsyncDisposable {
  /** Of the database `kindred` (native) or of the only one (PGlite), with the password. */
  readonly url: string;
  readonly kind: "path" | "native" | "pglite";
  /** For people, e.g. "PostgreSQL 17.9 with pgvector 0.8.2 (native embedded)". */
  readonly description: string;
  /** Why better kinds were not taken; empty for the first choice. */
  readonly reason: string;
}

/**
 * Starts the database that Kindred brings along, the first of these that works: an installed PostgreSQL with
 * pgvector, the native package, PGlite.
 * @throws KindredError with one line for people: port taken, disk full, folder that cannot be entered, in use.
 */
export async function startEmbeddedServer(options: EmbeddedServerOptions): Promise<EmbeddedServer> {
  await using cleanup = new AsyncDisposableStack();
  await mkdir(options.dataDir, { recursive: true });
  cleanup.use(await lockDataFolder(options.dataDir));
  const server = await startNative(options);
  cleanup.use(server);
  options.onProgress?.({ phase: "ready" });
  const owned = cleanup.move();
  return { ...server, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function startNative(options: EmbeddedServerOptions): Promise<EmbeddedServer> {
  const report = options.onProgress ?? (() => {});
  const major = await clusterVersion(clusterPaths(options.dataDir).cluster);
  const installed = await findInstalledPostgres(major);
  let binaries: PostgresBinaries;
  let reason = "";
  if ("folder" in installed) binaries = installed;
  else {
    reason = installed.reason;
    try {
      binaries = await nativePostgres(options.cacheDir, report);
    } catch (error) {
      throw new KindredError("unavailable", `${reason}; ${messageOf(error)}`, { cause: error });
    }
  }
  const server = await startNativeServer({
    binaries,
    dataDir: options.dataDir,
    port: options.port ?? 0,
    settings: options.settings ?? {},
    report,
    logger: options.logger,
  }).catch((error: unknown) => {
    throw isKindredError(error) ? error : new KindredError("internal", messageOf(error), { cause: error });
  });
  const kind = "folder" in installed ? "path" : "native";
  const { server: version, vector } = server.versions;
  return {
    url: server.url,
    kind,
    description: `PostgreSQL ${version} with pgvector ${vector} (${kind === "path" ? "installed" : "native embedded"})`,
    reason,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
