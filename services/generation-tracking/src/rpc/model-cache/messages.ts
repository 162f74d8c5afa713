import { create } from "@bufbuild/protobuf";
import {
  ModelCacheEntrySchema,
  type ModelCacheEntry as EntryMessage,
} from "@kindred/contracts/generation-tracking/v1";
import { timestampOf, type FieldChecks } from "@kindred/rpc";
import type { ModelCacheEntry } from "../../domain/model-cache.ts";

/** The widths of the columns, in code points. */
export const MAX_TYPE_CHARACTERS = 50;
const MAX_NAME_CHARACTERS = 200;
const MAX_PATH_CHARACTERS = 500;
/** An entry of the key's index has to fit into a third of a page of 8 KiB, with its header: 2,704 bytes. */
const MAX_KEY_BYTES = 2600;

/** `path` is empty for fields of the request itself, and ends with a dot for those of its members. */
export function checkModelKey(
  path: string,
  { modelType, modelName, cachePath }: { modelType: string; modelName: string; cachePath: string },
  checks: FieldChecks,
): void {
  const required = true;
  checks.text(`${path}model_type`, modelType, { required, maxCharacters: MAX_TYPE_CHARACTERS });
  checks.text(`${path}model_name`, modelName, { required, maxCharacters: MAX_NAME_CHARACTERS });
  checks.text(`${path}cache_path`, cachePath, { required, maxCharacters: MAX_PATH_CHARACTERS });
  const keyBytes = Buffer.byteLength(modelType) + Buffer.byteLength(modelName) + Buffer.byteLength(cachePath);
  if (keyBytes > MAX_KEY_BYTES) {
    checks.add(
      `${path}cache_path`,
      `must be at most ${MAX_KEY_BYTES} bytes of UTF-8 together with model_type and model_name, which are ${keyBytes}`,
    );
  }
}

export function checkSize(field: string, sizeBytes: bigint | undefined, checks: FieldChecks): void {
  if (sizeBytes !== undefined && sizeBytes < 0n) checks.add(field, `must not be negative, is ${sizeBytes}`);
}

export function toEntryMessage(domain: ModelCacheEntry): EntryMessage {
  const { sizeMb, lastAccessedMicros, createdAtMicros, present, verifiedAtMicros, ...entry } = domain;
  return create(ModelCacheEntrySchema, {
    ...entry,
    ...(sizeMb === undefined ? {} : { sizeMb }),
    ...(lastAccessedMicros === undefined ? {} : { lastAccessed: timestampOf(lastAccessedMicros) }),
    createdAt: timestampOf(createdAtMicros),
    ...(present === undefined ? {} : { present }),
    ...(verifiedAtMicros === undefined ? {} : { verifiedAt: timestampOf(verifiedAtMicros) }),
  });
}
