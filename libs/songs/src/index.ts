export {
  cacheSongs,
  type CacheMode,
  type CacheSongsDeps,
  type CacheSongsOptions,
  type CacheSongsResult,
} from "./cache-songs.ts";
export { SONGS_COMMANDS, songsLayout, type SongsCommand, type SongsLayout } from "./layout.ts";
export {
  readManifest,
  SONG_COLUMNS,
  writeManifest,
  type SongsFile,
  type SongsManifest,
  type SourceIdentity,
} from "./manifest.ts";
export { Progress, type ProgressOptions, type ProgressSnapshot, type ProgressStep } from "./progress.ts";
export {
  readRun,
  startSongsRun,
  type RunRecord,
  type RunState,
  type SeenRun,
  type SongsRun,
  type SongsRunOptions,
} from "./run-record.ts";
export { openSongSource, SQL_STATE, type SongSource, type SongSourceOptions } from "./source.ts";
export type { Selection } from "./source-statement.ts";
export { songsSettings } from "./settings.ts";
export type { EmbeddedTexts, RefusedSong } from "./embed-batch.ts";
export {
  embedSongs,
  type EmbedSongsDeps,
  type EmbedSongsOptions,
  type EmbedSongsResult,
} from "./embed-songs.ts";
export { findPending, readPending, type PendingFile, type PendingSongs, type Song } from "./pending-songs.ts";
export {
  createdAtOf,
  findCollection,
  KEY_TYPES,
  setupSongs,
  SONGS_COLLECTION,
  SONGS_INDEX,
  SONGS_TABLE,
  type SongsTarget,
} from "./setup-songs.ts";
export type { BatchLimits } from "./song-batches.ts";
export { StageError, type Stage } from "./stage-error.ts";
export {
  readCheckpoint,
  writeCheckpoint,
  type UploadCheckpoint,
  type UploadIdentity,
} from "./upload-checkpoint.ts";
export {
  uploadSongs,
  type UploadSongsDeps,
  type UploadSongsOptions,
  type UploadTotals,
} from "./upload-songs.ts";
export { ingestSink, upsertSink, type SinkOptions, type VectorSink } from "./vector-sink.ts";
export { readSongsStatus, verifySongsFiles, type DamagedFile, type SongsStatus } from "./status.ts";
