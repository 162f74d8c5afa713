import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createClient } from "@connectrpc/connect";
import { GenerationService } from "@kindred/contracts/generation-tracking/v1";
import { MetricsService } from "@kindred/contracts/metrics/v1";
import { ImageService, SearchService } from "@kindred/contracts/vector-store/v1";
import { openChannel } from "@kindred/rpc";
import { documentedMetrics, hasPromtool, promtool, startStack, type Stack } from "@kindred/testing";

// What real services show, held against docs/metrics.md and against Prometheus' own conventions.

const SERVICES = ["embedding", "vector-store", "generation-tracking", "metrics"];
const documented = documentedMetrics();
const checked = hasPromtool("promtool check metrics");
let stack: Stack;
const shown = new Map<string, string>();

beforeAll(async () => {
  stack = await startStack();
  // Some calls, so that there are series with labels.
  await using store = openChannel({ address: stack.addresses["vector-store"] as string });
  await using tracking = openChannel({ address: stack.addresses["generation-tracking"] as string });
  await using metrics = openChannel({ address: stack.addresses["metrics"] as string });
  await createClient(ImageService, store.transport).addImageWithEmbeddings({
    image: { imagePath: "a.png", description: "a red kite" },
  });
  await createClient(SearchService, store.transport).search({ query: { case: "text", value: "a kite" } });
  await createClient(GenerationService, tracking.transport).recordGeneration({
    generation: { prompt: "a red kite" },
  });
  await createClient(MetricsService, metrics.transport).getDatabaseStats({});
  for (const service of SERVICES) {
    const response = await fetch(`${stack.httpUrls[service]}/metrics`);
    expect(response.status).toBe(200);
    shown.set(service, await response.text());
  }
}, 900_000);
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
});

interface Family {
  type: string;
  labels: Set<string>;
}

/** Families by name, with the labels that their series have. */
function families(body: string): Map<string, Family> {
  const found = new Map<string, Family>();
  for (const [, name, type] of body.matchAll(/^# TYPE (\S+) (\S+)$/gm))
    found.set(name as string, { type: type as string, labels: new Set() });
  for (const [, series = "", labels = ""] of body.matchAll(/^([a-z_:][\w:]*)\{(.*)\} \S+$/gim)) {
    const family = found.get(series) ?? found.get(series.replace(/_(bucket|sum|count)$/, ""));
    if (!family) throw new Error(`${series} has no type`);
    for (const [, label = ""] of labels.matchAll(/(\w+)="(?:[^"\\]|\\.)*"/g)) family.labels.add(label);
  }
  return found;
}

describe.each(SERVICES)("%s", (service) => {
  test("shows what docs/metrics.md has, and nothing else", () => {
    const names = [...families(shown.get(service) as string).keys()].toSorted();
    const always = documented.filter(({ shownBy, conditional }) => shownBy.includes(service) && !conditional);
    expect(names).toEqual(always.map(({ name }) => name).toSorted());
  });

  test("with the types and the labels that the page has", () => {
    for (const [name, { type, labels }] of families(shown.get(service) as string)) {
      const page = documented.find((metric) => metric.name === name);
      expect({ name, type }).toEqual({ name, type: page?.type });
      const expected = new Set([
        "component",
        ...(page?.labels ?? []),
        ...(type === "histogram" ? ["le"] : []),
      ]);
      expect({ name, unknown: [...labels.difference(expected)] }).toEqual({ name, unknown: [] });
      if (labels.size > 0)
        expect({ name, missing: [...expected.difference(labels)] }).toEqual({ name, missing: [] });
    }
  });

  (checked ? test : test.skip)("promtool check metrics finds nothing to object to", () => {
    expect(promtool(["check", "metrics"], { input: shown.get(service) as string })).toEqual({
      status: 0,
      said: "",
    });
  });
});
