import { create } from "@bufbuild/protobuf";
import { expect, test } from "@jest/globals";
import { SearchMethod, SearchResponseSchema } from "@kindred/contracts/vector-store/v1";
import { GetDatabaseStatsResponseSchema } from "@kindred/contracts/metrics/v1";
import { toPlain } from "./plain.ts";

test("names of the .proto files, 64-bit integers as numbers, in nested messages and lists too", () => {
  const reply = create(SearchResponseSchema, {
    hits: [
      {
        similarity: 0.5,
        embeddingId: 12n,
        image: {
          id: 7n,
          imagePath: "a.png",
          fileSizeBytes: 5_000_000_000n,
          createdAt: { seconds: 1_700_000_000n },
        },
        metadata: { text: "a cat", annotation_id: 12, id: "12" },
      },
    ],
    plan: { method: SearchMethod.EXACT },
    timings: { embed: { nanos: 5_000_000 } },
  });
  expect(toPlain(SearchResponseSchema, reply)).toMatchObject({
    hits: [
      {
        similarity: 0.5,
        embedding_id: 12,
        image: {
          id: 7,
          image_path: "a.png",
          file_size_bytes: 5_000_000_000,
          tags: [],
          created_at: "2023-11-14T22:13:20Z",
        },
        metadata: { text: "a cat", annotation_id: 12, id: "12" },
      },
    ],
    plan: { method: "SEARCH_METHOD_EXACT", index_name: "", complete: false },
    timings: { embed: "0.005s" },
  });
});

test("a number that JSON cannot hold exactly stays text, and what is not set stays away", () => {
  const stats = create(GetDatabaseStatsResponseSchema, { totalImages: 2n ** 60n, totalEmbeddings: 0n });
  expect(toPlain(GetDatabaseStatsResponseSchema, stats)).toEqual({
    total_images: String(2n ** 60n),
    total_embeddings: 0,
    unavailable: [],
    databases: [],
  });
});
