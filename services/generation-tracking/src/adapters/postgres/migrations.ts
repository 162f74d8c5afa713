import { CreateGenerations1763683200000 } from "../../../migrations/1763683200000-create-generations.ts";
import { AccountForModelCache1764288000000 } from "../../../migrations/1764288000000-account-for-model-cache.ts";
import { FollowGenerations1765065600000 } from "../../../migrations/1765065600000-follow-generations.ts";
import { IndexGenerations1765152000000 } from "../../../migrations/1765152000000-index-generations.ts";
import { FeedPrompts1765238400000 } from "../../../migrations/1765238400000-feed-prompts.ts";
import { FollowSessions1765324800000 } from "../../../migrations/1765324800000-follow-sessions.ts";
import { KeepGenerations1765411200000 } from "../../../migrations/1765411200000-keep-generations.ts";

/** The PostgreSQL schema that this service owns. */
export const DATABASE_SCHEMA = "generation_tracking";

/** Oldest first. */
export const migrations = [
  CreateGenerations1763683200000,
  AccountForModelCache1764288000000,
  FollowGenerations1765065600000,
  IndexGenerations1765152000000,
  FeedPrompts1765238400000,
  FollowSessions1765324800000,
  KeepGenerations1765411200000,
];
