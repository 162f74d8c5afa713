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
export { songsSettings } from "./settings.ts";
export { readJson, syncFolder, writeWhole } from "./whole-file.ts";
