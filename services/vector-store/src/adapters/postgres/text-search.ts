import { KindredError } from "@kindred/errors";
import type { Database } from "@kindred/postgres";
import type { TextSearch } from "../../domain/item-ports.ts";
import { findBm25Index } from "./bm25-index.ts";
import { hasOperators, matchesStatement } from "./text-search-statement.ts";

/**
 * Searches documents with PostgreSQL's full-text search; texts of bare words by BM25 where an extension and its index on the
 * documents are there.
 */
export function textSearch(db: Database): TextSearch {
  return {
    async matches(collection, query, limits) {
      const { name, layout, textSearchConfig: config } = collection;
      const { document } = layout;
      if (!document || config === undefined) {
        throw new KindredError(
          "failed-precondition",
          document
            ? `the collection ${JSON.stringify(name)} has no text search configuration`
            : `the collection ${JSON.stringify(name)} has no documents to search in`,
        );
      }
      const index = hasOperators(query.text) ? undefined : await findBm25Index(db, layout, document, limits);
      const statement = matchesStatement({ ...query, layout, document, config }, index);
      const { rows } = await db.statement<{ key: string }>(statement, {
        ...limits,
        readOnly: true,
      });
      return { keys: rows.map(({ key }) => key), method: index?.extension ?? "fts" };
    },
  };
}
