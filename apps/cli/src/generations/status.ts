import { GenerationStatus } from "@kindred/contracts/generation-tracking/v1";

/** How a generation may have ended, by the names that people give. */
export const END_STATUSES = {
  completed: GenerationStatus.COMPLETED,
  failed: GenerationStatus.FAILED,
  cancelled: GenerationStatus.CANCELLED,
} as const;
export type EndStatusName = keyof typeof END_STATUSES;

export const STATUSES = { ...END_STATUSES, running: GenerationStatus.RUNNING } as const;
export type StatusName = keyof typeof STATUSES;

export function statusName(status: GenerationStatus): string {
  return Object.entries(STATUSES).find(([, value]) => value === status)?.[0] ?? "unknown";
}
