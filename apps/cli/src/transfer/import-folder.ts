import { stat } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { ImageWithEmbeddingsSchema } from "@kindred/contracts/vector-store/v1";
import { messageOf } from "@kindred/errors";
import { openClients } from "../clients.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { explain, Failure } from "../failure.ts";
import { unreadable } from "../file-error.ts";
import { interruption } from "../interruption.ts";
import { formatCount, plural } from "../terminal/format.ts";
import { createSteps, silentSteps } from "../terminal/steps.ts";
import { importItems, type Stored } from "../vectors/import-items.ts";
import { inRowBatches, type RowBatch } from "../vectors/item-batches.ts";
import type { SourceRow } from "../vectors/item-source.ts";
import type { ImageRecord } from "./image-record.ts";
import { picturesBelow, type FoundPicture, type SkippedFile } from "./picture-folder.ts";
import { IMAGE_LIMITS, sendImages, weightOf, type EmbeddingCounts } from "./send-images.ts";

export interface ImportFolderOptions {
  prefix?: string;
  dataset?: string;
  tag?: readonly string[];
  /** false with --no-copy. */
  copy: boolean;
  uncaptioned: "skip" | "add";
  dryRun?: boolean;
  batchSize: number;
  patience: number;
}

/** Files that are named in the report. */
const KEPT_SKIPPED = 1_000;
const SHOWN_SKIPPED = 10;
const GRACE_MS = 10_000;
/** The contract's limits of an image. */
const MAX_PATH = 500;
const MAX_TAGS = 100;

/** What has been done so far. */
interface Progress {
  pictures: number;
  captions: number;
  stored: Pick<Stored, "inserted" | "skipped">;
  embeddings: EmbeddingCounts;
  skippedFiles: number;
  skipped: SkippedFile[];
}

/** Adds the pictures below a folder to the catalogue, with the captions in the files beside them. @throws Failure */
export async function importFolder(
  context: Context,
  folder: string,
  options: ImportFolderOptions,
): Promise<void> {
  await requireFolder(folder);
  const prefix = prefixOf(options.prefix ?? basename(resolve(folder)));
  const mediaRoot = options.copy && !options.dryRun ? context.local?.mediaRoot : undefined;
  const clients = openClients(context);
  const steps = context.json ? silentSteps : createSteps(context.terminal);
  using interrupted = interruption(context.env);
  const progress: Progress = {
    pictures: 0,
    captions: 0,
    stored: { inserted: 0, skipped: 0 },
    embeddings: { added: 0, existing: 0 },
    skippedFiles: 0,
    skipped: [],
  };
  const startedAt = performance.now();
  try {
    await steps.run("import", async (step) => {
      await importItems(
        inRowBatches(rowsOf(folder, { ...options, prefix, mediaRoot }, progress), {
          items: options.batchSize,
          bytes: IMAGE_LIMITS.bytes,
        }),
        {
          send: (batch, signal) =>
            options.dryRun ? Promise.resolve(NOTHING) : send(clients, batch, progress, signal),
          onStored: (_position, totals) => {
            progress.stored = totals;
            step.progress("storing", undefined, undefined, plural(progress.pictures, "picture"));
            return Promise.resolve();
          },
          sleep: (ms, signal) => sleep(ms, undefined, { signal }),
          now: () => performance.now(),
          onWaiting: (reason) =>
            steps.note(`  waiting up to ${options.patience} s for the services: ${reason}`),
          onResumed: () => steps.note("  the service is back; going on"),
        },
        {
          refusesExisting: false,
          skipsBadRows: true,
          patienceMs: options.patience * 1_000,
          signal: interrupted.signal,
          graceMs: GRACE_MS,
        },
      );
      return { summary: plural(progress.pictures, "picture") };
    });
  } catch (error) {
    throw endedEarly(context, progress, error, interrupted.signal.aborted);
  }
  const seconds = Number(((performance.now() - startedAt) / 1_000).toFixed(3));
  if (context.json) context.terminal.json(reportOf(progress, options.dryRun ?? false, seconds));
  else context.terminal.result(renderReport(progress, options.dryRun ?? false, seconds));
  if (progress.pictures === 0) {
    throw new Failure(`${folder} has no picture to import.`, {
      exitCode: EXIT.data,
      remedy:
        progress.skippedFiles > 0
          ? "Captions stand in cat.txt or cat.json beside cat.jpg; --uncaptioned add adds pictures without any, too"
          : "Pictures are files such as cat.jpg or cat.png, in this folder or below it",
    });
  }
}

const NOTHING: Stored = { inserted: 0, replaced: 0, skipped: 0, rejected: [] };

async function requireFolder(folder: string): Promise<void> {
  const found = await stat(folder).catch((error: unknown) => {
    throw unreadable(folder, error);
  });
  if (!found.isDirectory()) {
    throw new Failure(`${folder} is no folder.`, {
      exitCode: EXIT.usage,
      remedy: `One picture: kindred add ${folder} --caption "…"`,
    });
  }
}

function prefixOf(raw: string): string {
  const prefix = raw.replace(/^\/+|\/+$/g, "");
  if (prefix.split("/").some((part) => part === ".." || part === ".")) {
    throw new Failure(`--prefix ${raw}: its parts may not be "." or "..".`, { exitCode: EXIT.usage });
  }
  return prefix === "" ? "" : `${prefix}/`;
}

interface RowOptions extends Pick<ImportFolderOptions, "dataset" | "tag" | "uncaptioned"> {
  prefix: string;
  /** Where pictures are copied to; undefined: nowhere. */
  mediaRoot: string | undefined;
}

async function* rowsOf(
  folder: string,
  options: RowOptions,
  progress: Progress,
): AsyncGenerator<SourceRow<ImageRecord>> {
  for await (const found of picturesBelow(folder)) {
    const item = "reason" in found ? found.reason : await recordOf(found, options);
    if (typeof item === "string") {
      skip(progress, { name: found.name, reason: item });
      continue;
    }
    progress.pictures += 1;
    progress.captions += item.message.embeddings.length;
    const line = progress.pictures;
    yield { item, line, bytes: weightOf(item, 0), end: { lines: line, bytes: 0 } };
  }
}

function skip(progress: Progress, file: SkippedFile): void {
  progress.skippedFiles += 1;
  if (progress.skipped.length < KEPT_SKIPPED) progress.skipped.push(file);
}

/** Why it is not imported is a text. */
async function recordOf(picture: FoundPicture, options: RowOptions): Promise<ImageRecord | string> {
  const { name, path, captions } = picture;
  const imagePath = `${options.prefix}${name}`;
  if (captions.length === 0 && options.uncaptioned === "skip") return "it has no caption";
  if (imagePath.length > MAX_PATH)
    return `its path has ${imagePath.length} characters, more than ${MAX_PATH}`;
  // sharp loads a native library: only commands that look at pictures need it.
  const { pictureFacts, copyBelow } = await import("../picture-file.ts");
  try {
    const { width, height, bytes, format } = await pictureFacts(path);
    if (options.mediaRoot !== undefined) await copyBelow({ path, bytes }, imagePath, options.mediaRoot);
    return {
      message: create(ImageWithEmbeddingsSchema, {
        image: {
          imagePath,
          description: captions[0] ?? "",
          tags: [...new Set([...(options.tag ?? []), ...picture.tags])].slice(0, MAX_TAGS),
          width,
          height,
          fileSizeBytes: BigInt(bytes),
          format,
          sourceDataset: options.dataset ?? "",
        },
        // Their keys are made of the texts: the same caption is one embedding, however often it is imported.
        embeddings: captions.map((text) => ({
          source: { case: "text" as const, value: text },
          embeddingType: "text",
        })),
      }),
      isBare: false,
    };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // A full disk is no property of the picture.
    if (code === "ENOSPC" || code === "EDQUOT") throw error;
    return messageOf(error);
  }
}

/** What the service refuses is skipped, as what cannot be read. */
async function send(
  clients: Parameters<typeof sendImages>[0],
  batch: RowBatch<ImageRecord>,
  progress: Progress,
  signal: AbortSignal,
): Promise<Stored> {
  const stored = await sendImages(clients, batch, {
    onConflict: "skip",
    skipsBadRows: true,
    counts: progress.embeddings,
    signal,
  });
  for (const { position, reason } of stored.rejected)
    skip(progress, { name: batch.items[position]?.message.image?.imagePath ?? "", reason });
  return stored;
}

function reportOf(progress: Progress, dryRun: boolean, seconds: number): Record<string, unknown> {
  return {
    dry_run: dryRun,
    pictures: progress.pictures,
    captions: progress.captions,
    images_added: progress.stored.inserted,
    images_existing: progress.stored.skipped,
    embeddings_added: progress.embeddings.added,
    embeddings_existing: progress.embeddings.existing,
    files_skipped: progress.skippedFiles,
    skipped: progress.skipped,
    seconds,
  };
}

function renderReport(progress: Progress, dryRun: boolean, seconds: number): string {
  const { pictures, captions, stored, embeddings, skipped, skippedFiles } = progress;
  const counts = dryRun
    ? [
        ` ${plural(pictures, "picture")} with ${plural(captions, "caption")} would be imported; nothing was sent`,
      ]
    : [
        ` ${plural(stored.inserted, "image")} and ${plural(embeddings.added, "embedding")} added (in ${seconds.toFixed(1)} s)`,
        ` ${plural(stored.skipped, "image")} and ${plural(embeddings.existing, "embedding")} were there already`,
      ];
  const more = skippedFiles - SHOWN_SKIPPED;
  return [
    ...counts,
    ...(skippedFiles > 0 ? [` ${plural(skippedFiles, "file")} skipped`] : []),
    ...skipped.slice(0, SHOWN_SKIPPED).map(({ name, reason }) => `   ${name}: ${reason}`),
    ...(more > 0 ? [`   … and ${formatCount(more)} more (--json has a thousand)`] : []),
  ].join("\n");
}

function endedEarly(context: Context, progress: Progress, error: unknown, interrupted: boolean): Failure {
  const { message, exitCode } = explain(error, context.url);
  const { inserted, skipped } = progress.stored;
  const reason = interrupted ? "stopped by Ctrl+C" : message.replace(/\.$/, "");
  return new Failure(
    `The import ended early: ${reason}; ${plural(inserted + skipped, "image")} of the folder are stored.`,
    {
      exitCode: interrupted ? EXIT.interrupted : exitCode,
      remedy: "Run the same command again: what is stored is not added twice.",
      cause: error,
    },
  );
}
