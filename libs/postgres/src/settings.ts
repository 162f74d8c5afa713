import { boolean, choice, duration, integer, optional, url, type ConfigOf } from "@kindred/config";

/** How many connections a process holds. `kept` stay open when idle, `overflow` more are closed soon after use. */
export interface PoolLimits {
  kept: number;
  overflow: number;
  /** Statements or transactions a connection serves before it is closed. */
  usesPerConnection: number;
}

const PROFILES = {
  /** No pooling: one connection, opened for each use and closed after it. For jobs that use the database rarely. */
  single: { kept: 1, overflow: 0, usesPerConnection: 1 },
  /** Many short requests. */
  web: { kept: 5, overflow: 10, usesPerConnection: Infinity },
  /** Eight workers that write in parallel, and some room for what watches them. */
  batch: { kept: 15, overflow: 0, usesPerConnection: Infinity },
} as const satisfies Record<string, PoolLimits>;

export type PoolProfile = keyof typeof PROFILES;

/** Every setting of a database connection; services spread it into their own schema. */
export const databaseSettings = {
  DATABASE_URL: url({
    description: "PostgreSQL 15+ with pgvector, e.g. postgresql://user:password@host:5432/kindred.",
    schemes: ["postgresql", "postgres"],
    secret: true,
  }),
  DB_POOL_PROFILE: choice({
    description: "How connections are pooled: single (none), web (5 + 10 overflow) or batch (15).",
    default: "web",
    choices: ["single", "web", "batch"],
  }),
  DB_POOL_SIZE: optional(
    integer({ description: "Connections kept open, instead of the profile's.", min: 1, max: 500 }),
  ),
  DB_MAX_OVERFLOW: optional(
    integer({
      description: "Connections above DB_POOL_SIZE under load; twice DB_POOL_SIZE when only that is set.",
      min: 0,
      max: 500,
    }),
  ),
  DB_POOL_TIMEOUT: duration({
    description: "How long to wait for a free connection.",
    default: "10s",
    min: "10ms",
    max: "10m",
  }),
  DB_POOL_RECYCLE: duration({
    description: "A connection older than this is replaced.",
    default: "3600s",
    min: "1s",
    max: "168h",
  }),
  DB_POOL_PRE_PING: boolean({
    description: "Whether a connection that was idle is tried before it is used.",
    default: true,
  }),
  DB_ECHO: boolean({
    description: "Whether every SQL statement is logged (level debug, without its parameters).",
    default: false,
  }),
  DB_STATEMENT_TIMEOUT: duration({
    description: "Longest time of one statement; long work sets its own.",
    default: "30s",
    min: "10ms",
    max: "24h",
  }),
  MIGRATE_ON_START: boolean({
    description: "Whether the service brings its schema up to date before it serves.",
    default: true,
  }),
};

export type DatabaseConfig = ConfigOf<typeof databaseSettings>;

/** The profile's limits, with what is set explicitly in their place. */
export function poolLimits(
  config: Pick<DatabaseConfig, "DB_POOL_PROFILE" | "DB_POOL_SIZE" | "DB_MAX_OVERFLOW">,
): PoolLimits {
  const profile: PoolLimits = PROFILES[config.DB_POOL_PROFILE];
  if (config.DB_POOL_SIZE === undefined) {
    return { ...profile, overflow: config.DB_MAX_OVERFLOW ?? profile.overflow };
  }
  return {
    kept: config.DB_POOL_SIZE,
    overflow: config.DB_MAX_OVERFLOW ?? 2 * config.DB_POOL_SIZE,
    usesPerConnection: profile.usesPerConnection,
  };
}
