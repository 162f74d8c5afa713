/** "25,014" */
export function formatCount(count: number | bigint): string {
  return count.toLocaleString("en-US");
}

/** "1.4 MiB" */
export function formatBytes(bytes: number | bigint): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  let value = Number(bytes);
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** Likewise of a number of MiB. */
export function formatMib(mib: number): string {
  return formatBytes(Math.round(mib * 2 ** 20));
}

/** "12 ms", "3.4 s", "2 min 5 s", "2 h 5 min" */
export function formatMs(ms: number): string {
  if (ms < 1_000) return `${ms < 10 ? Number(ms.toFixed(1)) : Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const minutes = Math.round(seconds / 60);
  return `${formatCount(Math.floor(minutes / 60))} h ${minutes % 60} min`;
}

/** "1 image", "2 images" */
export function plural(count: number | bigint, noun: string): string {
  return `${formatCount(count)} ${noun}${Number(count) === 1 ? "" : "s"}`;
}

/** "just now", "42 s ago", "3 min ago", "5 h ago", "2 days ago" */
export function formatAgo(time: Date, now: Date): string {
  const seconds = Math.floor((now.getTime() - time.getTime()) / 1_000);
  if (seconds < 2) return "just now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h ago`;
  return `${plural(Math.floor(seconds / 86_400), "day")} ago`;
}

/** "0.9512": a share of 1, as recall is written. */
export function formatShare(share: number): string {
  return String(Number(share.toFixed(4)));
}

/** "5 %", "0.05 %": a share of 1 with two significant digits. */
export function formatPercent(share: number): string {
  return `${Number((100 * share).toPrecision(2))} %`;
}

/** Of a protobuf Duration. */
export function millisecondsOf({ seconds, nanos }: { seconds: bigint; nanos: number }): number {
  return Number(seconds) * 1_000 + nanos / 1e6;
}
