import { readlinkSync } from "node:fs";
import { getPriority, setPriority } from "node:os";

const LOWEST = 19;

/**
 * Makes the calling thread, and no other, nicer by so much. Linux keeps a priority for each thread and takes a thread's id where a
 * process id is asked for; elsewhere nothing is done. Giving way needs no privilege.
 */
export function lowerPriority(by: number): void {
  if (by === 0 || process.platform !== "linux") return;
  // "<process>/task/<thread>"
  const thread = Number(readlinkSync("/proc/thread-self").split("/").at(-1));
  setPriority(thread, Math.min(LOWEST, getPriority(thread) + by));
}
