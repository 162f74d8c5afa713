import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterAll, describe, expect, test } from "@jest/globals";
import { repositoryPath } from "@kindred/process";
import { stringify } from "yaml";
import { IMAGES } from "./images.ts";
import { build, isNetworkPolicy, isWorkload, kustomize, type Manifest, type PodSpec } from "./manifests.ts";

if (kustomize === undefined) {
  process.stderr.write(
    "neither kustomize nor kubectl is on PATH: what `kustomize build` makes is not tested\n",
  );
}
const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** The base with components, as an overlay would have it. */
function withComponents(...names: string[]): Manifest[] {
  const folder = mkdtempSync(join(tmpdir(), "kindred-overlay-"));
  folders.push(folder);
  const path = (name: string): string => relative(folder, repositoryPath(`deploy/${name}`));
  const kustomization = {
    apiVersion: "kustomize.config.k8s.io/v1beta1",
    kind: "Kustomization",
    resources: [path("base")],
    components: names.map((name) => path(`components/${name}`)),
  };
  writeFileSync(join(folder, "kustomization.yaml"), stringify(kustomization));
  return build(folder);
}

const podOf = (manifests: readonly Manifest[], name: string): PodSpec =>
  manifests.filter(isWorkload).find(({ metadata }) => metadata.name === name)?.spec.template.spec as PodSpec;

(kustomize === undefined ? describe.skip : describe)("kustomize build", () => {
  test("deploy/base: settings by a name that changes with them, and one label on all", () => {
    const manifests = build("deploy/base");
    const config = manifests.find(({ kind }) => kind === "ConfigMap")?.metadata.name;
    expect(config).toMatch(/^kindred-[a-z0-9]{10}$/);
    for (const { name, ports } of IMAGES) {
      const [container] = podOf(manifests, name).containers;
      expect(container?.envFrom).toEqual(
        ports["grpc"] === undefined ? undefined : [{ configMapRef: { name: config } }],
      );
    }
    for (const { metadata } of manifests) {
      expect(metadata.labels).toMatchObject({ "app.kubernetes.io/part-of": "kindred" });
    }
    expect(manifests.filter(({ kind }) => kind === "Secret")).toEqual([]);
  });

  test("deploy/overlays/local: a namespace, a database, and the secrets that the services ask for", () => {
    const manifests = build("deploy/overlays/local");
    expect(manifests.filter(({ kind }) => kind === "Namespace")).toHaveLength(1);
    expect(
      manifests.filter(({ kind, metadata }) => kind !== "Namespace" && metadata.namespace !== "kindred"),
    ).toEqual([]);
    const secrets = new Map(
      manifests
        .filter(({ kind }) => kind === "Secret")
        .map((secret) => [secret.metadata.name, Object.keys((secret as unknown as { data: object }).data)]),
    );
    const references = manifests
      .filter(isWorkload)
      .flatMap(({ spec }) => [...spec.template.spec.containers, ...(spec.template.spec.initContainers ?? [])])
      .flatMap(({ env = [] }) => env.flatMap(({ valueFrom }) => valueFrom?.secretKeyRef ?? []));
    expect(references.length).toBeGreaterThanOrEqual(7);
    const needed = references.filter(({ optional }) => !optional);
    for (const { name, key } of needed) expect(secrets.get(name)).toContain(key);
    for (const { spec } of manifests.filter(isWorkload)) expect(spec.replicas).toBe(1);
  });

  test("components/gpu: a GPU, and no silent fall back to the CPU", () => {
    const [container] = podOf(withComponents("gpu"), "embedding").containers;
    expect(container?.image).toMatch(/^kindred\/embedding:.*-cuda$/);
    expect(container?.resources?.limits).toMatchObject({ "nvidia.com/gpu": "1", memory: "2Gi" });
    expect(container?.env).toContainEqual({ name: "REQUIRE_CUDA", value: "true" });
    expect(container?.env?.map(({ name }) => name)).toContain("METRICS_ADDRESS");
  });

  test("components/baked-model: nothing is fetched, and nothing needs to leave the cluster", () => {
    const manifests = withComponents("baked-model");
    const pod = podOf(manifests, "embedding");
    expect(pod.initContainers ?? []).toEqual([]);
    expect(pod.volumes?.map(({ name }) => name)).toEqual(["tmp"]);
    expect(pod.containers[0]?.volumeMounts?.map(({ name }) => name)).toEqual(["tmp"]);
    const policy = manifests.filter(isNetworkPolicy).find(({ metadata }) => metadata.name === "embedding");
    expect(policy?.spec.egress?.filter(({ to }) => to === undefined)).toEqual([]);
  });

  test("components/prometheus: adds a PodMonitor to the base, and lets Prometheus in", () => {
    const manifests = withComponents("prometheus");
    expect(manifests.filter(({ kind }) => kind === "PodMonitor")).toHaveLength(1);
    expect(manifests.filter(isNetworkPolicy).map(({ metadata }) => metadata.name)).toContain(
      "kindred-prometheus",
    );
  });

  test("components/ingress: adds to the base, and lets the controller in", () => {
    const manifests = withComponents("ingress");
    expect(manifests.map(({ kind }) => kind)).toContain("Ingress");
    expect(manifests.filter(isNetworkPolicy).map(({ metadata }) => metadata.name)).toContain(
      "kindred-ingress",
    );
  });
});
