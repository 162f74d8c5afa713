import { number, optional, text, url } from "@kindred/config";

/** Settings of the songs' pipeline, from the environment and .env. */
export const songsSettings = {
  POSTGRES_URL: optional(
    url({
      description: "PostgreSQL that has the songs, e.g. postgresql://user:password@host:5432/music.",
      schemes: ["postgresql", "postgres"],
      secret: true,
    }),
  ),
  SONGS_FOLDER: optional(
    text({
      description: "Folder of the songs' files, embeddings and checkpoints (default: songs in KINDRED_HOME).",
    }),
  ),
  SONGS_PRICE_PER_MILLION_TOKENS: optional(
    number({
      description: "What the provider of the embeddings takes for a million tokens, for estimates of costs.",
      min: 0,
      max: 1_000_000,
      unit: "SONGS_PRICE_CURRENCY",
    }),
  ),
  SONGS_PRICE_CURRENCY: text({
    description: "Currency of SONGS_PRICE_PER_MILLION_TOKENS.",
    default: "USD",
    maxLength: 8,
  }),
};
