import { CreateCatalogue1763683200000 } from "../../../migrations/1763683200000-create-catalogue.ts";
import { Collections1763769600000 } from "../../../migrations/1763769600000-collections.ts";
import { NoteVectorChanges1764288100000 } from "../../../migrations/1764288100000-note-vector-changes.ts";
import { OperationsAndRecall1764633600000 } from "../../../migrations/1764633600000-operations-and-recall.ts";
import { Reembedding1764633700000 } from "../../../migrations/1764633700000-reembedding.ts";
import { IndexName1764720000000 } from "../../../migrations/1764720000000-index-name.ts";

/** The PostgreSQL schema that this service owns. */
export const DATABASE_SCHEMA = "vector_store";

/** Oldest first. */
export const migrations = [
  CreateCatalogue1763683200000,
  Collections1763769600000,
  NoteVectorChanges1764288100000,
  OperationsAndRecall1764633600000,
  Reembedding1764633700000,
  IndexName1764720000000,
];
