import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Priority, type InfoResponse } from "@kindred/contracts/embedding/v1";
import {
  openEmbeddingCacheWriter,
  repairEmbeddingCache,
  type EmbeddingCacheWriter,
} from "@kindred/embedding-cache";
import { writeWhole } from "@kindred/process";
import {
  embedSongs,
  findPending,
  Progress,
  type ProgressOptions,
  readManifest,
  StageError,
  type BatchLimits,
  type EmbeddedTexts,
  type EmbedSongsResult,
  type RefusedSong,
  type SongsLayout,
  type SongsManifest,
} from "@kindred/songs";
import type { Command } from "commander";
import { openClients, translated, type Clients } from "../clients.ts";
import type { Run } from "../commands/command.ts";
import { integerOption } from "../commands/parse.ts";
import type { Context } from "../context.ts";
import { callEmbed } from "../embedding/embed-call.ts";
import { namingModels } from "../embedding/model-errors.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { formatBytes, formatCount, millisecondsOf, plural } from "../terminal/format.ts";
import { resumeCommand } from "./resume-command.ts";
import { runSongsCommand, type SongsWork } from "./run-songs-command.ts";
import { addFolderOption, layoutOf, songsConfig, type SongsOptions } from "./songs-options.ts";
import { stageFailure } from "./stage-failure.ts";

interface EmbedOptions extends SongsOptions {
  model?: string;
  workers: number;
  batchSize: number;
  checkpoint: number;
  patience: number;
  repair?: boolean;
}

/** Texts of one call; a message may have 32 MiB. */
const MAX_BATCH_BYTES = 8 * 2 ** 20;
/** Vectors that a killed run may have to embed again, at most. */
const CHECKPOINT_RECORDS = 16_384;
/** How long one call may take: it waits for a provider's limits, or behind others in the embedding service's queue. */
const CALL_TIMEOUT_MS = 600_000;

/** What Info says of models of providers. */
const REMOTE = "remote";
/** A call that waits longer before its first request was held back by a provider's limits. */
const LIMITED_MS = 100;
/** A call that takes longer than this is worth a word. */
const SLOW_MS = 10_000;
const SLOW_PROVIDER = "no answer for more than 10 s; the provider is slow, or limits the rate";
const SLOW_SERVICE = "no answer for more than 10 s; the service is busy";

const HELP = `
Vectors go into the embedding cache, in the order in which they come, and are synced every --checkpoint seconds. Whatever ends a run, the next one
embeds what has no vector yet, and nothing that was synced. Ctrl+C finishes the calls that are under way; a second one does not wait.

Lyrics that are longer than the model reads are cut: by the model, or here where its provider refuses them. Songs that the provider takes in no form
are left out, and listed in refused.jsonl.

Examples:
  kindred songs embed
  kindred songs embed --model fireworks/qwen3-embedding-8b --workers 16`;

export function addSongsEmbedCommand(songs: Command, run: Run): void {
  addFolderOption(
    songs.command("embed").description("embeddings of the songs' lyrics, into the embedding cache"),
  )
    .option("--model <name>", "name or alias of a served model (kindred models list)")
    .option("--workers <calls>", "calls under way at the same time", integerOption(1, 64), 8)
    .option("--batch-size <texts>", "texts in one call, at most", integerOption(1, 2_048), 2_048)
    .option("--checkpoint <seconds>", "how often vectors are synced", integerOption(1, 3_600), 5)
    .option(
      "--patience <seconds>",
      "give up when the service has been away for so long",
      integerOption(0, 86_400),
      300,
    )
    .option("--repair", "first give up what is damaged in the embedding cache, so that it is embedded again")
    .addHelpText("after", HELP)
    .action((options: EmbedOptions, command: Command) =>
      run(command, (context) => embed(context, options, resumeCommand(command))),
    );
}

async function embed(context: Context, options: EmbedOptions, resume: string): Promise<ExitCode> {
  const layout = layoutOf(context, options);
  const config = songsConfig(context);
  const manifest = await readManifest(layout.manifest);
  if (!manifest) {
    throw new Failure(`There are no songs in ${layout.folder} yet.`, {
      exitCode: EXIT.data,
      remedy: "Read them first: kindred songs cache",
    });
  }
  const { embedding } = openClients(context);
  const info = await namingModels(() => translated(() => embedding.info({ model: options.model ?? "" })));
  const progress = new Progress({
    command: "embed",
    phase: "looking for songs without vectors",
    ...priceOf(info, config),
  });
  const deps = { context, layout, manifest, embedding, info, progress, options };
  const { result, refused, cached } = await runSongsCommand(
    context,
    { command: "embed", layout, progress, resume },
    (work) => embedAll(deps, work),
  );
  report(deps, result, refused, cached);
  return refused.length > 0 ? EXIT.data : EXIT.ok;
}

/** That of the settings goes before what the embedding service's catalogue says, which is in US dollars. */
function priceOf(
  { pricePerMillionTokens }: InfoResponse,
  config: ReturnType<typeof songsConfig>,
): Pick<ProgressOptions, "price"> {
  const { SONGS_PRICE_PER_MILLION_TOKENS: own, SONGS_PRICE_CURRENCY: currency } = config;
  if (own !== undefined) return { price: { perMillionTokens: own, currency } };
  if (pricePerMillionTokens === undefined) return {};
  return { price: { perMillionTokens: pricePerMillionTokens, currency: "USD" } };
}

interface EmbedDeps {
  context: Context;
  layout: SongsLayout;
  manifest: SongsManifest;
  embedding: Clients["embedding"];
  info: InfoResponse;
  progress: Progress;
  options: EmbedOptions;
}

async function embedAll(deps: EmbedDeps, { signal, note }: SongsWork) {
  const { context, layout, manifest, info, progress, options } = deps;
  const { space } = info;
  if (!space || space.dimensions === 0)
    throw new Failure("The embedding service does not say which space its vectors are of.");
  const refused: RefusedSong[] = [];
  try {
    await using cache = await openCache(layout, space, options.repair ? note : undefined);
    if (cache.cutBytes > 0)
      note(`  cut off a block that an earlier run had not finished (${formatBytes(cache.cutBytes)})`);
    const paths = manifest.files.map(({ name }) => layout.songs(name));
    const { files, songs, pending } = await findPending(paths, cache.ids, signal);
    progress.resumed({ done: songs - pending });
    progress.total(songs);
    progress.phase("embedding");
    if (pending > 0 && pending < songs)
      note(`  going on: ${formatCount(songs - pending)} of ${plural(songs, "song")} have their vectors`);
    const result = await embedSongs(
      files,
      {
        cache,
        progress,
        embed: (texts, callSignal) => embedTexts(deps, space.id, texts, callSignal),
        sleep: (ms, until) => sleep(ms, undefined, { signal: until }),
        now: () => performance.now(),
        onRefused: (song) => void refused.push(song),
      },
      {
        workers: options.workers,
        batch: limitsOf(info, options),
        checkpointRecords: CHECKPOINT_RECORDS,
        checkpointMs: 1_000 * options.checkpoint,
        patienceMs: 1_000 * options.patience,
        stop: signal,
      },
    );
    await writeRefused(layout, refused, result.stopped);
    if (result.stopped) signal.throwIfAborted();
    const summary = `${plural(result.embedded, "song")}, ${formatCount(cache.ids.count)} of ${formatCount(songs)} with vectors`;
    return { result, refused, cached: cache.ids.count, summary };
  } catch (error) {
    throw stageFailure(error, context.url);
  }
}

/** @param repairNote given where the cache shall be repaired before; is told what was given up */
async function openCache(
  { embeddings }: SongsLayout,
  { id: spaceId, dimensions }: { id: string; dimensions: number },
  repairNote: SongsWork["note"] | undefined,
): Promise<EmbeddingCacheWriter> {
  try {
    if (repairNote) await repairCache(embeddings, repairNote);
    return await openEmbeddingCacheWriter(embeddings, { spaceId, dimensions });
  } catch (error) {
    throw new StageError("cache", error);
  }
}

async function repairCache(folder: string, note: SongsWork["note"]): Promise<void> {
  const { dropped } = await repairEmbeddingCache(folder);
  if (dropped.length === 0) note("  nothing in the embedding cache is damaged");
  for (const { path, offset, bytes } of dropped)
    note(`  gave up ${formatBytes(bytes)} at byte ${offset} of ${path}`);
}

/** One call, and what it tells of waiting: for a provider's limits, the service waits itself, unless it takes longer than a minute. */
async function embedTexts(
  { embedding, info, progress, options }: EmbedDeps,
  spaceId: string,
  texts: string[],
  signal: AbortSignal,
): Promise<EmbeddedTexts> {
  const isRemote = info.effectiveExecutionProvider === REMOTE;
  const startedAt = performance.now();
  using slow = new DisposableStack();
  const timer = setTimeout(
    () => slow.use(progress.waiting(isRemote ? SLOW_PROVIDER : SLOW_SERVICE, { rateLimit: false })),
    SLOW_MS,
  );
  slow.defer(() => clearTimeout(timer));
  const { vectors, totalTokens, truncated, timings } = await callEmbed(
    embedding,
    { texts, model: options.model ?? "", priority: Priority.BULK, spaceId },
    { signal, timeoutMs: CALL_TIMEOUT_MS },
  );
  const queueMs = timings?.queue ? millisecondsOf(timings.queue) : 0;
  if (isRemote && queueMs >= LIMITED_MS)
    progress.waited({ agoMs: performance.now() - startedAt, ms: queueMs });
  return { vectors, tokens: totalTokens, truncated: truncated.filter(Boolean).length };
}

/** All calls together are what the service's queue may hold; a provider's model takes a call as one request, or few, that do not wait there. */
function limitsOf(
  { limits, space, effectiveExecutionProvider }: InfoResponse,
  options: EmbedOptions,
): BatchLimits {
  const { workers, batchSize } = options;
  const maxTokens = space?.maxTokens || 512;
  const queue = limits?.maxQueueTokens || 2 ** 19;
  const tokens = effectiveExecutionProvider === REMOTE ? queue / 2 : queue / workers;
  return {
    texts: Math.min(batchSize, limits?.maxTexts || batchSize),
    bytes: MAX_BATCH_BYTES,
    tokens: Math.max(tokens, maxTokens),
    maxTokens,
  };
}

const refusedPath = ({ folder }: SongsLayout): string => join(folder, "refused.jsonl");

/** Those of the latest run, which has asked again for those of the runs before. */
async function writeRefused(
  layout: SongsLayout,
  refused: readonly RefusedSong[],
  stopped: boolean,
): Promise<void> {
  if (refused.length === 0) {
    if (!stopped) await rm(refusedPath(layout), { force: true });
    return;
  }
  const lines = refused.map(({ id, reason }) => `${JSON.stringify({ id: String(id), reason })}\n`);
  await writeWhole(refusedPath(layout), lines.join(""), { durable: false });
}

function report(
  { context, layout, info, progress }: EmbedDeps,
  { embedded }: EmbedSongsResult,
  refused: readonly RefusedSong[],
  cached: number,
): void {
  const { terminal, json } = context;
  const space = info.space?.id ?? "";
  if (json) {
    const refusedSongs = refused.map(({ id, reason }) => ({ id: String(id), reason }));
    terminal.json({ embedded, cached, space, refused: refusedSongs, progress: progress.snapshot() });
    return;
  }
  terminal.result(` ${formatCount(cached)} vectors of ${space} in ${layout.embeddings}`);
  if (refused.length > 0) {
    const [first] = refused;
    terminal.result(
      ` ${plural(refused.length, "song")} have no vector, for they were refused: ${refusedPath(layout)}\n   ${first?.id}: ${first?.reason}`,
    );
  }
  terminal.result(` next: kindred songs upload`);
}
