import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { repositoryPath } from "@kindred/process";
import { documentedMetrics, hasPromtool, promtool } from "@kindred/testing";
import { parse, parseAllDocuments, stringify } from "yaml";
import { dashboardProblems, expressionsOf, type Dashboard } from "./dashboard.ts";
import { namedIn, withoutVariables } from "./promql.ts";

const PROMETHEUS = "deploy/observability/prometheus";
const textOf = (path: string): string => readFileSync(repositoryPath(path), "utf8");

interface Rule {
  alert?: string;
  record?: string;
  expr: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}
const rules = (
  parse(textOf(`${PROMETHEUS}/kindred.rules.yml`)) as { groups: { rules: Rule[] }[] }
).groups.flatMap((group) => group.rules);
const alerts = rules.filter(({ alert }) => alert !== undefined);
const dashboard = JSON.parse(textOf("deploy/observability/grafana/kindred.json")) as Dashboard;
const documented = documentedMetrics();
const checked = hasPromtool("the checks of rules, of their cases and of the dashboard's expressions");
const testWithPromtool = checked ? test : test.skip;

interface Manifest {
  kind: string;
  metadata: { name: string };
  spec: unknown;
}
interface Deployment extends Manifest {
  spec: {
    template: {
      metadata: { labels: Record<string, string> };
      spec: { containers: { ports: { name: string; containerPort: number }[] }[] };
    };
  };
}

/** Series that a documented metric has. */
const series = new Map(
  documented.flatMap((metric) =>
    (metric.type === "histogram"
      ? ["_bucket", "_sum", "_count"].map((suffix) => metric.name + suffix)
      : [metric.name]
    ).map((name) => [name, metric] as const),
  ),
);
const recorded = new Map(rules.flatMap(({ record, expr }) => (record === undefined ? [] : [[record, expr]])));
/** Prometheus' own, of every target. */
const OF_TARGETS = ["instance", "job"];

/** What an expression names that nobody shows. */
function unknownIn(expression: string): string[] {
  const { metrics, labels } = namedIn(expression);
  const known = new Set(["component", ...OF_TARGETS]);
  const unknown: string[] = [];
  for (const name of metrics) {
    const source = recorded.get(name);
    const metric = series.get(name);
    if (source !== undefined) for (const label of namedIn(source).labels) known.add(label);
    else if (metric !== undefined) {
      for (const label of metric.labels) known.add(label);
      if (name.endsWith("_bucket")) known.add("le");
    } else if (name !== "up") unknown.push(name);
  }
  return [...unknown, ...[...labels].filter((label) => !known.has(label)).map((label) => `label ${label}`)];
}

function inFolder<T>(work: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), "kindred-rules-"));
  try {
    return work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describe("docs/metrics.md", () => {
  test("has every metric that the code has, and none that it has not", () => {
    const files = execFileSync(
      "git",
      ["ls-files", "-co", "--exclude-standard", "libs/*.ts", "services/*.ts"],
      {
        cwd: repositoryPath("."),
        encoding: "utf8",
      },
    )
      .split("\n")
      .filter((path) => /\/src\//.test(path) && !/\.test\.ts$|\/gen\/|^libs\/testing\//.test(path));
    const written = files.flatMap((path) => {
      try {
        return [...textOf(path).matchAll(/["`]((?:kindred|process|nodejs)_[a-z0-9_${}]*[a-z0-9])["`]/g)].map(
          (match) => ({ path, name: match[1] as string }),
        );
      } catch (error) {
        // Listed by git, and deleted since.
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
        throw error;
      }
    });
    expect(written.length).toBeGreaterThan(40);
    // A name that is put together is known by its parts; whether all are shown, a test of the running services says.
    const patterns = written.map(({ path, name }) => ({
      path,
      name,
      pattern: new RegExp(`^${name.replace(/\$\{[^}]*\}/g, "[a-z0-9_]+")}$`),
    }));
    const names = documented.map(({ name }) => name);
    const isMetric = ({ name }: { name: string }): boolean => !NOT_METRICS.has(name);
    expect(
      patterns.filter(isMetric).filter(({ pattern }) => !names.some((name) => pattern.test(name))),
    ).toEqual([]);
    expect(names.filter((name) => !patterns.some(({ pattern }) => pattern.test(name)))).toEqual([]);
  });
});

/** Names of tables in the database that look like those of metrics. */
const NOT_METRICS = new Set(["kindred_index_sample", "kindred_index_sample_idx"]);

describe("alerts", () => {
  test("name only what services show", () => {
    expect(rules.map(({ expr }) => [expr, unknownIn(expr)]).filter(([, bad]) => bad?.length)).toEqual([]);
  });

  test("say how urgent they are and what it is about, in words that are there", () => {
    for (const { alert, expr, labels, annotations } of alerts) {
      expect({ alert, severity: labels?.["severity"] }).toEqual({
        alert,
        severity: expect.stringMatching(/^(page|ticket)$/),
      });
      const texts = [annotations?.["summary"] ?? "", annotations?.["description"] ?? ""];
      for (const text of texts) expect({ alert, text }).toEqual({ alert, text: expect.stringMatching(/\w/) });
      // What a label's value is, the cases show; here, that it is one of these series.
      for (const [, label = ""] of texts.join(" ").matchAll(/\$labels\.(\w+)/g)) {
        expect({ alert, label, unknown: unknownIn(`sum by (${label}) (${expr})`) }).toEqual({
          alert,
          label,
          unknown: [],
        });
      }
    }
  });

  test("have a case in which they fire, and one in which they do not", () => {
    interface Case {
      alertname: string;
      exp_alerts?: unknown[];
    }
    const cases = (
      parse(textOf(`${PROMETHEUS}/kindred.rules.test.yml`)) as { tests: { alert_rule_test?: Case[] }[] }
    ).tests.flatMap((each) => each.alert_rule_test ?? []);
    for (const { alert } of alerts) {
      const own = cases.filter(({ alertname }) => alertname === alert);
      const fires = own.some((each) => (each.exp_alerts ?? []).length > 0);
      const rests = own.some((each) => (each.exp_alerts ?? []).length === 0);
      expect({ alert, fires, rests }).toEqual({ alert, fires: true, rests: true });
    }
  });

  test("are in the README, with how urgent they are", () => {
    const readme = textOf("deploy/observability/README.md");
    const listed = [...readme.matchAll(/^\| `(Kindred\w+)`\s*\| (\w+)\s*\|/gm)].map(([, name, severity]) => [
      name,
      severity,
    ]);
    const there = alerts.map(({ alert, labels }) => [alert, labels?.["severity"]]);
    expect(listed.toSorted()).toEqual(there.toSorted());
  });

  test("become a PrometheusRule by what the README says", () => {
    const block = /^## On Kubernetes[\s\S]*?^```sh\n([\s\S]*?)^```/m.exec(
      textOf("deploy/observability/README.md"),
    );
    const command = (block?.[1] ?? "").replace("kubectl apply -f -", "cat");
    expect(command).toContain("| cat");
    const made = execFileSync("sh", ["-c", command], { cwd: repositoryPath("."), encoding: "utf8" });
    expect(parse(made)).toEqual({
      apiVersion: "monitoring.coreos.com/v1",
      kind: "PrometheusRule",
      metadata: { name: "kindred" },
      spec: parse(textOf(`${PROMETHEUS}/kindred.rules.yml`)),
    });
  });

  testWithPromtool("hold in promtool's cases", () => {
    const said = promtool(["test", "rules", repositoryPath(`${PROMETHEUS}/kindred.rules.test.yml`)]);
    expect(said).toEqual({ status: 0, said: expect.stringContaining("SUCCESS") });
  });

  testWithPromtool("are part of a configuration that Prometheus takes", () => {
    const said = promtool(["check", "config", repositoryPath(`${PROMETHEUS}/prometheus.yml`)]);
    expect(said).toEqual({ status: 0, said: expect.stringContaining("SUCCESS") });
  });
});

describe("what Prometheus scrapes", () => {
  const deployments = ["embedding", "vector-store", "generation-tracking", "metrics"].map((name) => {
    const documents = parseAllDocuments(textOf(`deploy/base/${name}.yaml`)).map(
      (document) => document.toJS() as Manifest,
    );
    return documents.find(({ kind }) => kind === "Deployment") as Deployment;
  });
  const httpPorts = deployments.flatMap(({ spec }) =>
    spec.template.spec.containers.flatMap(({ ports }) => ports.filter(({ name }) => name === "http")),
  );

  test("on one machine: the HTTP ports of the four services", () => {
    const config = parse(textOf(`${PROMETHEUS}/prometheus.yml`)) as {
      scrape_configs: { job_name: string; static_configs: { targets: string[] }[] }[];
    };
    expect(config.scrape_configs).toEqual([
      {
        job_name: "kindred",
        static_configs: [{ targets: httpPorts.map(({ containerPort }) => `127.0.0.1:${containerPort}`) }],
      },
    ]);
  });

  test("on Kubernetes: the same ports of the same pods, which let it in", () => {
    const read = (file: string): Manifest =>
      parse(textOf(`deploy/components/prometheus/${file}`)) as Manifest;
    const names = deployments.map(({ metadata }) => metadata.name);
    const selector = {
      matchExpressions: [{ key: "app.kubernetes.io/name", operator: "In", values: names }],
    };
    expect(read("pod-monitor.yaml").spec).toMatchObject({
      selector,
      podMetricsEndpoints: [{ port: "http" }],
    });
    expect(read("network-policy.yaml").spec).toMatchObject({
      podSelector: selector,
      ingress: [{ ports: [{ port: "http" }] }],
    });
    for (const { metadata, spec } of deployments)
      expect(spec.template.metadata.labels["app.kubernetes.io/name"]).toBe(metadata.name);
  });
});

describe("the dashboard", () => {
  test("is one that Grafana can show", () => {
    expect(dashboardProblems(dashboard)).toEqual([]);
  });

  test("names only what services show", () => {
    const expressions = expressionsOf(dashboard);
    expect(expressions.length).toBeGreaterThan(30);
    const bad = expressions
      .map((expression) => ({ expression, unknown: unknownIn(withoutVariables(expression)) }))
      .filter(({ unknown }) => unknown.length > 0);
    expect(bad).toEqual([]);
  });

  test("shows each of the services' own metrics", () => {
    const named = new Set(expressionsOf(dashboard).flatMap((expression) => [...namedIn(expression).metrics]));
    const missing = documented
      .filter(({ name }) => name.startsWith("kindred_"))
      .filter(
        ({ name }) => ![name, `${name}_bucket`, `${name}_count`, `${name}_sum`].some((n) => named.has(n)),
      )
      .map(({ name }) => name);
    // What is looked at by hand, when something is odd.
    expect(missing).toEqual([
      "kindred_http_server_duration_seconds",
      "kindred_embedding_batch_texts",
      "kindred_embedding_batch_tokens",
      "kindred_embedding_model_info",
      "kindred_embedding_calls_in_progress",
      "kindred_embedding_cache_entries",
      "kindred_embedding_cache_bytes",
      "kindred_generation_outbox_told_total",
    ]);
  });

  testWithPromtool("has only expressions that Prometheus can read", () => {
    const said = inFolder((folder) => {
      const file = join(folder, "dashboard.rules.yml");
      const asRules = expressionsOf(dashboard).map((expression, i) => ({
        record: `panel:expression:${i}`,
        expr: withoutVariables(expression),
      }));
      writeFileSync(file, stringify({ groups: [{ name: "dashboard", rules: asRules }] }));
      return promtool(["check", "rules", file]);
    });
    expect(said).toEqual({ status: 0, said: expect.stringContaining("SUCCESS") });
  });
});
