import { rm } from "node:fs/promises";
import { isKindredError, KindredError, messageOf } from "@kindred/errors";
import type { Logger } from "@kindred/telemetry";
import { findInstalledPostgres, type PostgresBinaries } from "./binaries.ts";
import { clusterPaths, clusterVersion, exists } from "./cluster.ts";
import { nativePostgres } from "./native-package.ts";
import { startNativeServer } from "./native-server.ts";
import { makeFolder, requireEnterable, unprivilegedUser } from "./os-user.ts";
import { lockDataFolder } from "./owner-lock.ts";
import { pgliteData, startPglite } from "./pglite-process.ts";
import type { Progress } from "./progress.ts";
import { CommandError, saysDiskFull } from "./run-command.ts";
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
    await makeFolder(options.dataDir);
    cleanup.use(await lockDataFolder(options.dataDir));
    const { plan, server } = await startFirst(options);
    cleanup.use(server);
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
  /** Why no better plan was made. */
  reason: string;
  start: (port: number) => Promise<RunningServer>;
}

async function startFirst(options: EmbeddedServerOptions): Promise<{ plan: Plan; server: RunningServer }> {
  const { dataDir, kind, port = 0, logger } = options;
  const start = async (plan: Plan) => ({ plan, server: await keepRunning(plan.start, port, logger) });
  const { cluster } = clusterPaths(dataDir);
  const major = await clusterVersion(cluster);
  if (kind === "pglite") return await start(pglitePlan(options, ""));
  if (kind === "auto" && major === undefined && (await exists(pgliteData(dataDir)))) {
    return await start(pglitePlan(options, `the data in ${dataDir} are PGlite's`));
  }
  const mayFallBack = kind === "auto" && major === undefined;
  let reason: string;
  try {
    const native = await nativePlan(options, major);
    if (!("unavailable" in native)) return await start(native);
    reason = native.unavailable;
  } catch (error) {
    // Where the port is taken or the disk full, another kind of server would not help.
    const known = forPeople(error, dataDir);
    if (!mayFallBack || known.kind !== "internal") throw known;
    await rm(cluster, { recursive: true, force: true });
    reason = known.message;
  }
  if (mayFallBack) return await start(pglitePlan(options, reason));
  const needed = major === undefined ? "" : `the data in ${dataDir} need PostgreSQL ${major}: `;
  throw new KindredError("unavailable", needed + reason);
}

async function nativePlan(
  options: EmbeddedServerOptions,
  major: string | undefined,
): Promise<Plan | { unavailable: string }> {
  const { dataDir, cacheDir, settings = {}, logger, onProgress: report = () => {} } = options;
  const startWith = (binaries: PostgresBinaries) => (port: number) =>
    startNativeServer({ binaries, dataDir, port, settings, report, logger });
  const installed = await findInstalledPostgres(major);
  try {
    // Where the server could not run afterwards, nothing has to be fetched.
    await requireEnterable(dataDir, unprivilegedUser());
    if ("folder" in installed) return { kind: "path", reason: "", start: startWith(installed) };
    const binaries = await nativePostgres(cacheDir, report);
    await requireEnterable(binaries.folder, unprivilegedUser());
    return { kind: "native", reason: installed.reason, start: startWith(binaries) };
  } catch (error) {
    if (options.kind === "native" && isKindredError(error) && error.kind === "failed-precondition")
      throw error;
    const before = "reason" in installed ? `${installed.reason}; ` : "";
    return { unavailable: before + messageOf(error) };
  }
}

function pglitePlan(options: EmbeddedServerOptions, reason: string): Plan {
  const { dataDir, cacheDir, onProgress: report = () => {} } = options;
  return { kind: "pglite", reason, start: (port) => startPglite({ dataDir, cacheDir, port, report }) };
}

/** What the operating system and PostgreSQL's programs say about the folders, as one line. */
function forPeople(error: unknown, dataDir: string): KindredError {
  if (isKindredError(error)) return error;
  const said = error instanceof CommandError ? error.output : messageOf(error);
  const { code, path = dataDir, syscall } = error as NodeJS.ErrnoException;
  if (saysDiskFull(said)) {
    return new KindredError("resource-exhausted", `no disk space is left for the database in ${dataDir}`, {
      cause: error,
    });
  }
  if (code !== undefined && syscall !== undefined) {
    return new KindredError(
      "failed-precondition",
      `${path} cannot be used (${code}): choose another folder`,
      {
        cause: error,
      },
    );
  }
  return new KindredError("internal", `the database could not be started: ${messageOf(error)}`, {
    cause: error,
  });
}
