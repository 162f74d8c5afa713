import { timestampDate, timestampMs } from "@bufbuild/protobuf/wkt";
import type {
  ComponentState,
  MetricSample,
  MetricSeries,
  QueryHistoryResponse,
} from "@kindred/contracts/metrics/v1";
import { formatAgo } from "../terminal/format.ts";
import { oneLine, renderTable, renderTableOrBlocks } from "../terminal/table.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { QUANTITIES, quantityOf, resolutionName, sourceName } from "./quantities.ts";
import { sparkline } from "./sparkline.ts";

/** Processes, a row each; what one does not measure is empty, and what nobody measures is not shown. */
export function renderComponents(
  terminal: Terminal,
  components: readonly ComponentState[],
  now: Date,
): string {
  const measured = QUANTITIES.filter(({ of }) =>
    components.some(({ latest }) => latest && of(latest) !== undefined),
  );
  const table = renderTableOrBlocks(
    terminal,
    [
      { title: "component" },
      { title: "instance" },
      { title: "reported" },
      ...measured.map(({ name }) => ({ title: name, align: "right" as const })),
      { title: "source" },
    ],
    components.map(({ component, instance, latest, silent }) => [
      component,
      instance,
      `${latest?.timestamp ? formatAgo(timestampDate(latest.timestamp), now) : "never"}${silent ? ", silent" : ""}`,
      ...measured.map(({ of, show }) => {
        const value = latest && of(latest);
        return value === undefined ? "" : show(value);
      }),
      latest ? sourceName(latest.cpuSource) : "",
    ]),
  );
  const problems = components.flatMap(({ component, latest }) =>
    latest?.gpuProblem ? [` ${component}: ${latest.gpuProblem}`] : [],
  );
  return [table, ...new Set(problems)].join("\n");
}

const NARROW_LINE = 16;
const WIDE_LINE = 60;
/** Columns beside the line: the name of what is measured, and five figures. */
const OTHERS = 72;

/** Each series as a line over the whole period, with its figures, below the process that it is of. */
export function renderHistory(terminal: Terminal, history: QueryHistoryResponse): string {
  const { from, to } = history;
  const begin = from ? timestampMs(from) : 0;
  const span = Math.max(1, (to ? timestampMs(to) : begin) - begin);
  const width = Math.min(WIDE_LINE, Math.max(NARROW_LINE, (terminal.width ?? 120) - OTHERS));
  const rows = history.series.map((series) => {
    const show = quantityOf(series.metric)?.show ?? String;
    const line = sparkline(
      series.points.map(({ timestamp, max }) => ({
        at: ((timestamp ? timestampMs(timestamp) : begin) - begin) / span,
        value: max,
      })),
      width,
    );
    const { least, mean, p95, greatest, last } = figuresOf(series);
    return [
      quantityOf(series.metric)?.name ?? String(series.metric),
      line,
      ...[least, mean, p95, greatest, last].map((value) => (value === undefined ? "" : show(value))),
    ];
  });
  const table = renderTable(
    terminal,
    [
      { title: "metric" },
      { title: "".padEnd(width) },
      ...["min", "mean", "p95", "max", "last"].map((title) => ({ title, align: "right" as const })),
    ],
    rows.map((row) => row.with(1, (row[1] as string).replaceAll(" ", "\u00a0"))),
  ).replaceAll("\u00a0", " ");
  const [head = "", ...lines] = table.split("\n");
  const names = history.series.map(processName);
  const below = lines.flatMap((line, i) => {
    const name = names[i] ?? "";
    return name === names[i - 1] ? [line] : [` ${terminal.colors.bold(oneLine(name))}`, line];
  });
  const period = [from, to]
    .map((time) => (time ? timestampDate(time).toLocaleString("sv-SE") : ""))
    .join(" to ");
  return `${[head, ...below].join("\n")}\n ${terminal.colors.dim(`${period}, ${resolutionName(history.resolution)}`)}`;
}

function processName({ component, instance }: { component: string; instance: string }): string {
  return instance === "" ? component : `${component} ${instance}`;
}

/** p95 of a whole period is known from its samples only. */
export function figuresOf({ points }: Pick<MetricSeries, "points">) {
  let [least, greatest, sum, count] = [Infinity, -Infinity, 0, 0];
  for (const point of points) {
    least = Math.min(least, point.min);
    greatest = Math.max(greatest, point.max);
    sum += point.avg * Number(point.count);
    count += Number(point.count);
  }
  if (count === 0) return {};
  const raw = points.every((point) => point.count === 1n);
  const sorted = raw ? points.map(({ avg }) => avg).toSorted((a, b) => a - b) : [];
  return {
    least,
    mean: sum / count,
    p95: sorted[Math.ceil(0.95 * sorted.length) - 1],
    greatest,
    last: points.at(-1)?.avg,
  };
}

/** One sample on one line. */
export function renderSample(terminal: Terminal, sample: MetricSample): string {
  const time = sample.timestamp ? timestampDate(sample.timestamp).toLocaleTimeString("sv-SE") : "";
  const values = QUANTITIES.flatMap(({ name, short = name, width, of, show }) => {
    const value = of(sample);
    return value === undefined ? [] : [`${terminal.colors.dim(short)} ${show(value).padStart(width)}`];
  });
  return ` ${time}  ${processName(sample).padEnd(22)}  ${values.join("  ")}`;
}
