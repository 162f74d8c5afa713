import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { GenerationStatus } from "@kindred/contracts/generation-tracking/v1";
import { openClients } from "../clients.ts";
import type { Context } from "../context.ts";
import { exportFile, recordFormat } from "./export-file.ts";
import { generationLine, generationParquet } from "./generation-record.ts";
import { imageParquet } from "./image-parquet.ts";
import { imageLine } from "./image-record.ts";
import { readGenerations } from "./read-generations.ts";
import { readImages } from "./read-images.ts";

export interface ExportImagesOptions {
  dataset?: string;
  tag?: readonly string[];
  /** false with --no-vector. */
  vector: boolean;
  patience: number;
}

const RESUMED = "they are back; going on";

/** Writes the images of the catalogue with their embeddings. @throws Failure */
export async function exportImages(
  context: Context,
  path: string,
  options: ExportImagesOptions,
): Promise<void> {
  const { dataset, tag = [], vector, patience } = options;
  const format = recordFormat(path, imageLine, imageParquet());
  const clients = openClients(context);
  const isAll = dataset === undefined && tag.length === 0;
  const statistics = isAll ? await clients.indexes.getStatistics({}) : undefined;
  await exportFile(context, {
    path,
    format,
    dimensions: 0,
    read: (deps) => readImages(clients, { sourceDataset: dataset ?? "", tags: tag, vector }, deps),
    countOf: (images) => images.length,
    total: statistics && Number(statistics.totalImages),
    noun: "image",
    waitsFor: "the services",
    resumedNote: RESUMED,
    patienceSeconds: patience,
  });
}

export interface ExportGenerationsOptions {
  status?: GenerationStatus;
  contains?: string;
  since?: Date;
  until?: Date;
  patience: number;
}

/** Writes the generations that match, newest first. @throws Failure */
export async function exportGenerations(
  context: Context,
  path: string,
  options: ExportGenerationsOptions,
): Promise<void> {
  const { status, contains, since, until, patience } = options;
  const format = recordFormat(path, generationLine, generationParquet());
  const clients = openClients(context);
  const isAll = [status, contains, since, until].every((condition) => condition === undefined);
  const statistics = isAll ? await clients.generations.getStatistics({}) : undefined;
  const wanted = {
    promptContains: contains ?? "",
    ...(status !== undefined && { status }),
    ...(since && { createdAfter: timestampFromDate(since) }),
    ...(until && { createdBefore: timestampFromDate(until) }),
  };
  await exportFile(context, {
    path,
    format,
    dimensions: 0,
    read: (deps) => readGenerations(clients, wanted, deps),
    countOf: (generations) => generations.length,
    total: statistics && Number(statistics.totalGenerations),
    noun: "generation",
    waitsFor: "the services",
    resumedNote: RESUMED,
    patienceSeconds: patience,
  });
}
