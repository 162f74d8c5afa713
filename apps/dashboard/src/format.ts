import type { Duration } from "@bufbuild/protobuf/wkt";

export function milliseconds(span: Duration | undefined): number | undefined {
  return span && Number(span.seconds) * 1000 + span.nanos / 1e6;
}

/** "0.4 ms", "12 ms", "1.3 s". */
export function durationText(ms: number): string {
  if (ms >= 1000) return `${(ms / 1000).toFixed(1)} s`;
  return ms >= 10 ? `${Math.round(ms)} ms` : `${ms.toFixed(1)} ms`;
}

const numbers = new Intl.NumberFormat("en");

export function countText(count: bigint | number): string {
  return numbers.format(count);
}

/** "41.2 MiB". */
export function bytesText(bytes: bigint): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  let value = Number(bytes);
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}
