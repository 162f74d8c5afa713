/** What a PromQL expression names: https://prometheus.io/docs/prometheus/latest/querying/basics/. */
export interface Named {
  metrics: Set<string>;
  labels: Set<string>;
}

const OPERATORS = new Set(["and", "or", "unless", "bool", "offset", "atan2", "inf", "nan"]);
const LABEL_LISTS = /\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)/g;

/** Promtool says whether an expression is one; this says what it is about. */
export function namedIn(expression: string): Named {
  const labels = new Set<string>();
  const bare = expression
    .replace(/"(?:[^"\\]|\\.)*"/g, '""')
    .replace(LABEL_LISTS, (_, list: string) => {
      for (const label of list.split(",").map((name) => name.trim())) if (label !== "") labels.add(label);
      return " ";
    })
    .replace(/\{([^}]*)\}/g, (_, matchers: string) => {
      for (const [, label = ""] of matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)) labels.add(label);
      return " ";
    })
    .replace(/\[[^\]]*\]/g, " ")
    .replace(/\boffset\s+\w+/g, " ")
    // Functions and aggregations.
    .replace(/\b[a-z_0-9]+\s*\(/gi, "(");
  const metrics = (bare.match(/(?<![\w.])[a-z_:][\w:]*/gi) ?? []).filter(
    (name) => !OPERATORS.has(name.toLowerCase()),
  );
  return { metrics: new Set(metrics), labels };
}

/** As Grafana would send it to Prometheus, with some value for each variable. */
export function withoutVariables(expression: string): string {
  return expression.replaceAll("$__rate_interval", "1m").replaceAll("$component", ".+");
}
