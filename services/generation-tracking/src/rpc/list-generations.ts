import { GenerationStatus, type ListGenerationsRequest } from "@kindred/contracts/generation-tracking/v1";
import { startChecks, type FieldChecks } from "@kindred/rpc";
import type { GenerationFilter } from "../domain/generation.ts";
import type { GenerationStore } from "../domain/generation-store.ts";
import { listGenerations } from "../domain/list-generations.ts";
import { toDomainStatus, toGenerationMessage } from "./messages.ts";
import { isValidTimestamp, microsOf } from "./timestamps.ts";

const DEFAULT_PAGE_SIZE = 50;
const MAX_PAGE_SIZE = 1000;
const MAX_PROMPT_CONTAINS = 1000;

export function listGenerationsRpc(deps: { store: GenerationStore }) {
  return async (request: ListGenerationsRequest) => {
    const checks = startChecks();
    const pageSize = checks.count("page_size", request.pageSize, {
      max: MAX_PAGE_SIZE,
      zero: DEFAULT_PAGE_SIZE,
    });
    const filter = readFilter(request, checks);
    checks.throwIfAny();
    const page = await listGenerations(deps, { filter, pageSize, pageToken: request.pageToken });
    return { generations: page.generations.map(toGenerationMessage), nextPageToken: page.nextPageToken };
  };
}

function readFilter(request: ListGenerationsRequest, checks: FieldChecks): GenerationFilter {
  const status = toDomainStatus(request.status);
  if (!status && request.status !== GenerationStatus.UNSPECIFIED) {
    checks.add("status", `must be a known GenerationStatus, is ${request.status}`);
  }
  checks.text("prompt_contains", request.promptContains, { maxCharacters: MAX_PROMPT_CONTAINS });
  const { createdAfter, createdBefore } = request;
  for (const [field, value] of [
    ["created_after", createdAfter],
    ["created_before", createdBefore],
  ] as const) {
    if (value && !isValidTimestamp(value)) {
      checks.add(field, "must be a time of the years 1 to 9999 with 0 to 999999999 nanos");
    }
  }
  const createdAfterMicros = createdAfter && microsOf(createdAfter);
  const createdBeforeMicros = createdBefore && microsOf(createdBefore);
  if (
    createdAfterMicros !== undefined &&
    createdBeforeMicros !== undefined &&
    createdAfterMicros > createdBeforeMicros
  ) {
    checks.add("created_after", "must not be later than created_before");
  }
  return {
    status,
    promptContains: request.promptContains || undefined,
    createdAfterMicros,
    createdBeforeMicros,
  };
}
