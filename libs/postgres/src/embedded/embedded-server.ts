import { mkdir } from "node:fs/promises";
import { isKindredError, KindredError, messageOf } from "@kindred/errors";
import type { Logger } from "@kindred/telemetry";
import { findInstalledPostgres, type PostgresBinaries } from "./binaries.ts";
import { clusterPaths, clusterVersion, exists } from "./cluster.ts";
import { nativePostgres } from "./native-package.ts";
import { startNativeServer } from "./native-server.ts";
import { unprivilegedUser } from "./os-user.ts";
import { lockDataFolder } from "./owner-lock.ts";
import { pgliteData, startPglite } from "./pglite-process.ts";
import type { Progress } from "./progress.ts";
import { keepRunning, type RunningServer } from "./running-server.ts";

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
 * pgvector, the native package, PGlite. A data folder stays with the kind that made it.
 * @throws KindredError with one line for people: port taken, disk full, folder that cannot be entered, in use.
 */
export async function startEmbeddedServer(options: EmbeddedServerOptions): Promise<EmbeddedServer> {
  await using cleanup = new AsyncDisposableStack();
  try {
    await mkdir(options.dataDir, { recursive: true });
    cleanup.use(await lockDataFolder(options.dataDir));
    const plan = await choose(options);
    const server = cleanup.use(await keepRunning(plan.start, options.port ?? 0, options.logger));
    options.onProgress?.({ phase: "ready" });
    const { server: version, vector } = server.versions;
    const owned = cleanup.move();
    return {
      url: server.url,
      kind: plan.kind,
      description: `PostgreSQL ${version} with pgvector ${vector} (${DESCRIPTIONS[plan.kind]})`,
      reason: plan.reason,
      [Symbol.asyncDispose]: () => owned.disposeAsync(),
    };
  } catch (error) {
    throw forPeople(error, options.dataDir);
  }
}

const DESCRIPTIONS = { path: "installed", native: "native embedded", pglite: "PGlite" } as const;

interface Plan {
  kind: EmbeddedServer["kind"];
  reason: string;
  start: (port: number) => Promise<RunningServer>;
}

async function choose(options: EmbeddedServerOptions): Promise<Plan> {
  const { dataDir, kind } = options;
  if (kind === "pglite") return pglitePlan(options, "");
  const major = await clusterVersion(clusterPaths(dataDir).cluster);
  if (kind === "auto" && major === undefined && (await exists(pgliteData(dataDir)))) {
    return pglitePlan(options, `the data in ${dataDir} are PGlite's`);
  }
  const native = await nativePlan(options, major);
  if (!("unavailable" in native)) return native;
  if (kind === "native" || major !== undefined) {
    const needed = major === undefined ? "" : `the data in ${dataDir} need PostgreSQL ${major}: `;
    throw new KindredError("unavailable", needed + native.unavailable);
  }
  return pglitePlan(options, native.unavailable);
}

async function nativePlan(
  options: EmbeddedServerOptions,
  major: string | undefined,
): Promise<Plan | { unavailable: string }> {
  const report = options.onProgress ?? (() => {});
  const startWith = (binaries: PostgresBinaries) => (port: number) =>
    startNativeServer({
      binaries,
      dataDir: options.dataDir,
      port,
      settings: options.settings ?? {},
      report,
      logger: options.logger,
    });
  const installed = await findInstalledPostgres(major);
  if ("folder" in installed) return { kind: "path", reason: "", start: startWith(installed) };
  try {
    // Where the server could not run afterwards, nothing has to be fetched.
    unprivilegedUser();
    const binaries = await nativePostgres(options.cacheDir, report);
    return { kind: "native", reason: installed.reason, start: startWith(binaries) };
  } catch (error) {
    return { unavailable: `${installed.reason}; ${messageOf(error)}` };
  }
}

function pglitePlan(options: EmbeddedServerOptions, reason: string): Plan {
  const { dataDir, cacheDir, onProgress: report = () => {} } = options;
  return { kind: "pglite", reason, start: (port) => startPglite({ dataDir, cacheDir, port, report }) };
}

/** What the operating system says about the folders, as one line. */
function forPeople(error: unknown, dataDir: string): KindredError {
  if (isKindredError(error)) return error;
  const { code, path = dataDir } = error as NodeJS.ErrnoException;
  if (code === "ENOSPC" || code === "EDQUOT" || /No space left on device/.test(messageOf(error))) {
    return new KindredError("resource-exhausted", `no disk space is left for the database in ${dataDir}`, {
      cause: error,
    });
  }
  if (code === "EACCES" || code === "EPERM" || code === "EROFS") {
    return new KindredError("failed-precondition", `${path} cannot be written: choose another folder`, {
      cause: error,
    });
  }
  return new KindredError("internal", `the database could not be started: ${messageOf(error)}`, {
    cause: error,
  });
}
