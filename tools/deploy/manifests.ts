import { spawnSync } from "node:child_process";
import { parse, parseAllDocuments } from "yaml";
import { repositoryPath } from "@kindred/process";
import { readText } from "./images.ts";

export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string> };
  spec?: unknown;
}

export interface Container {
  name: string;
  image: string;
  command?: string[];
  args?: string[];
  env?: EnvVar[];
  envFrom?: { configMapRef?: { name: string } }[];
  ports?: { name: string; containerPort: number }[];
  startupProbe?: Probe;
  readinessProbe?: Probe;
  livenessProbe?: Probe;
  volumeMounts?: { name: string; mountPath: string; readOnly?: boolean }[];
  resources?: { requests?: Record<string, string>; limits?: Record<string, string> };
  securityContext?: unknown;
}

export interface EnvVar {
  name: string;
  value?: string;
  valueFrom?: { secretKeyRef?: { name: string; key: string; optional?: boolean } };
}

export interface Probe {
  grpc?: { port: number; service: string };
  httpGet?: { path: string; port: string };
  exec?: unknown;
}

export interface PodSpec {
  serviceAccountName?: string;
  automountServiceAccountToken?: boolean;
  terminationGracePeriodSeconds?: number;
  securityContext?: unknown;
  topologySpreadConstraints?: unknown[];
  initContainers?: Container[];
  containers: Container[];
  volumes?: { name: string }[];
}

export interface Workload extends Manifest {
  spec: {
    replicas?: number;
    selector: { matchLabels: Record<string, string> };
    template: { metadata: { labels: Record<string, string> }; spec: PodSpec };
  };
}

interface Peer {
  podSelector?: { matchLabels?: Record<string, string> };
  namespaceSelector?: unknown;
}

export interface NetworkPolicy extends Manifest {
  spec: {
    podSelector: { matchLabels?: Record<string, string> };
    policyTypes: string[];
    ingress?: { from?: Peer[]; ports: { port: string | number }[] }[];
    egress?: { to?: Peer[]; ports: { port: number }[] }[];
  };
}

/** Every object of the files that a kustomization lists, patches not applied. Other kustomizations in the list are left out. */
export function readResources(folder: string): Manifest[] {
  const { resources } = parse(readText(`${folder}/kustomization.yaml`)) as { resources: string[] };
  return resources
    .filter((file) => file.endsWith(".yaml"))
    .flatMap((file) => parseManifests(readText(`${folder}/${file}`)));
}

export function parseManifests(text: string): Manifest[] {
  return parseAllDocuments(text, { merge: true }).map((document) => {
    if (document.errors.length > 0) throw new Error(String(document.errors[0]));
    return document.toJS() as Manifest;
  });
}

/** NAME=value lines, as kustomize's `envs` reads them. */
export function readEnvFile(path: string): Record<string, string> {
  return Object.fromEntries(
    readText(path)
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"))
      .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );
}

/** The command that builds kustomizations here, or undefined. */
export const kustomize: readonly string[] | undefined = [
  ["kustomize", "build"],
  ["kubectl", "kustomize"],
].find(([command, verb]) => spawnSync(command as string, [verb as string, "--help"]).status === 0);

/** What `kustomize build` makes of a folder. @throws Error with what it says. */
export function build(folder: string): Manifest[] {
  const [command, ...args] = kustomize as string[];
  const { status, stdout, stderr } = spawnSync(command as string, [...args, folder], {
    encoding: "utf8",
    cwd: repositoryPath(""),
  });
  if (status !== 0) throw new Error(`kustomize build ${folder}: ${stderr}`);
  return parseManifests(stdout);
}

export const isWorkload = (manifest: Manifest): manifest is Workload =>
  ["Deployment", "StatefulSet"].includes(manifest.kind);

export const isNetworkPolicy = (manifest: Manifest): manifest is NetworkPolicy =>
  manifest.kind === "NetworkPolicy";
