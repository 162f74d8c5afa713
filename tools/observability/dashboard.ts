/** The part of Grafana's dashboard model (https://grafana.com/docs/grafana/latest/reference/dashboard-json/) that is used here. */
export interface Dashboard {
  title: string;
  uid: string;
  schemaVersion: number;
  time: { from: string; to: string };
  templating: { list: Variable[] };
  panels: Panel[];
}

interface Variable {
  name: string;
  type: string;
  definition?: string;
}

interface Panel {
  id: number;
  type: string;
  title: string;
  description?: string;
  datasource?: { type: string; uid: string };
  gridPos: { h: number; w: number; x: number; y: number };
  targets?: {
    refId: string;
    expr: string;
    legendFormat: string;
    datasource: { type: string; uid: string };
  }[];
  fieldConfig?: { defaults: { unit?: string } };
}

const COLUMNS = 24;
const KINDS = new Set(["row", "timeseries", "stat"]);
/** Grafana's ids of units. */
const UNITS = new Set(["short", "s", "reqps", "percentunit", "bytes"]);
/** Schema versions that Grafana 10.4 and later migrate by themselves. */
const OLDEST_SCHEMA = 36;

/** Every PromQL expression, those behind variables too. */
export function expressionsOf({ panels, templating }: Dashboard): string[] {
  const ofVariables = templating.list.flatMap(({ definition }) => {
    const metric = /^label_values\((.+), \w+\)$/.exec(definition ?? "")?.[1];
    return metric === undefined ? [] : [metric];
  });
  return [...panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)), ...ofVariables];
}

/** What Grafana would show wrongly or not at all, a line each. */
export function dashboardProblems(dashboard: Dashboard): string[] {
  const { panels, templating, title, uid, schemaVersion, time } = dashboard;
  const problems: string[] = [];
  if (title === "" || !/^[\w-]{1,40}$/.test(uid))
    problems.push("it needs a title, and a uid of at most 40 characters");
  if (!(schemaVersion >= OLDEST_SCHEMA)) problems.push(`schemaVersion ${schemaVersion} is too old`);
  if (!/^now-\d+[smhd]$/.test(time.from) || time.to !== "now")
    problems.push(`its time is no range: ${time.from}`);
  const ids = panels.map(({ id }) => id);
  if (new Set(ids).size !== ids.length) problems.push("two panels have the same id");
  const titles = panels.map((panel) => panel.title);
  if (new Set(titles).size !== titles.length) problems.push("two panels have the same title");
  const variables = new Set(templating.list.map(({ name }) => name));
  for (const panel of panels)
    problems.push(...panelProblems(panel, variables).map((p) => `${panel.title}: ${p}`));
  for (const [i, panel] of panels.entries()) {
    const other = panels.slice(i + 1).find((candidate) => overlap(panel.gridPos, candidate.gridPos));
    if (other) problems.push(`${panel.title} lies over ${other.title}`);
  }
  return problems;
}

function panelProblems(panel: Panel, variables: ReadonlySet<string>): string[] {
  const { type, gridPos, targets = [], datasource, fieldConfig, description = "", title } = panel;
  const problems: string[] = [];
  if (!KINDS.has(type)) problems.push(`no panel is a ${type}`);
  if (title === "") problems.push("it has no title");
  const { x, w, h } = gridPos;
  if (x < 0 || w < 1 || h < 1 || x + w > COLUMNS) problems.push(`it is outside of the ${COLUMNS} columns`);
  if (type === "row") return problems;
  if (description === "") problems.push("nobody says what it shows");
  if (!UNITS.has(fieldConfig?.defaults.unit ?? "")) problems.push(`no unit is ${fieldConfig?.defaults.unit}`);
  if (targets.length === 0) problems.push("it asks for nothing");
  const refs = targets.map(({ refId }) => refId);
  if (new Set(refs).size !== refs.length) problems.push("two of its questions have the same refId");
  for (const source of [datasource, ...targets.map((target) => target.datasource)]) {
    if (source?.type !== "prometheus" || source.uid !== "${datasource}")
      problems.push("it has a data source of its own");
  }
  for (const { expr, legendFormat } of targets) {
    for (const [, name = ""] of expr.matchAll(/\$(\w+)/g)) {
      if (!name.startsWith("__") && !variables.has(name)) problems.push(`nobody sets $${name}`);
    }
    for (const [, label = ""] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) {
      // What is summed up has only the labels that it is summed by.
      const kept = [...expr.matchAll(/\bby \(([^)]*)\)/g)].map(([, list = ""]) => list.split(", "));
      if (kept.length > 0 && !kept[0]?.includes(label))
        problems.push(`its legend has ${label}, its series have not`);
    }
  }
  return problems;
}

function overlap(a: Panel["gridPos"], b: Panel["gridPos"]): boolean {
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}
