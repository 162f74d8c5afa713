import { CreateGenerations1763683200000 } from "../../../migrations/1763683200000-create-generations.ts";

/** The PostgreSQL schema that this service owns. */
export const DATABASE_SCHEMA = "generation_tracking";

/** Oldest first. */
export const migrations = [CreateGenerations1763683200000];
