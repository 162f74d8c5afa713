import { readdirSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import { repositoryPath } from "@kindred/process";
import { CALLS, IMAGES, readText, VERSION } from "./images.ts";
import {
  isNetworkPolicy,
  isWorkload,
  readEnvFile,
  readResources,
  type Container,
  type Manifest,
  type NetworkPolicy,
  type Workload,
} from "./manifests.ts";
import { configOf, dockerfileOf, peersOf, unknownSettings } from "./settings.ts";

const base = readResources("deploy/base");
const settings = readEnvFile("deploy/base/settings.env");
const workloads = base.filter(isWorkload);
function find(kind: string, name: string): Manifest {
  const found = base.find((manifest) => manifest.kind === kind && manifest.metadata.name === name);
  if (found === undefined) throw new Error(`no ${kind} ${name}`);
  return found;
}
const workload = (name: string): Workload => find("Deployment", name) as Workload;
const podOf = (name: string) => workload(name).spec.template.spec;
const mainOf = (name: string): Container => podOf(name).containers[0] as Container;

/** What a container's process finds in its environment; secrets as a stand-in URL. */
function environment({ env = [], envFrom = [] }: Container): Record<string, string> {
  return {
    ...(envFrom.some(({ configMapRef }) => configMapRef?.name === "kindred") ? settings : {}),
    ...Object.fromEntries(
      env.map(({ name, value }) => [name, value ?? "postgresql://user@database/kindred"]),
    ),
  };
}

/** The gRPC services that an image serves, by its contracts. */
function grpcServices(name: string): string[] {
  const folder = `proto/kindred/${name.replaceAll("-", "_")}/v1`;
  return readdirSync(repositoryPath(folder)).flatMap((file) => {
    const proto = readText(`${folder}/${file}`);
    return [...proto.matchAll(/^service (\w+)/gm)].map(
      ([, service]) => `kindred.${name.replaceAll("-", "_")}.v1.${service}`,
    );
  });
}

test("one Deployment, ServiceAccount and PodDisruptionBudget for every image", () => {
  const names = IMAGES.map(({ name }) => name).toSorted();
  for (const kind of ["Deployment", "ServiceAccount", "PodDisruptionBudget"]) {
    const found = base.filter((manifest) => manifest.kind === kind).map(({ metadata }) => metadata.name);
    expect([kind, found.toSorted()]).toEqual([kind, names]);
  }
});

describe.each(IMAGES)("$name", ({ name, folder, ports, database }) => {
  const main = mainOf(name);
  const pod = podOf(name);

  test("runs its image as it is, on the ports that the image exposes", () => {
    expect(main).toMatchObject({ name, image: `kindred/${name}:${VERSION}` });
    expect([main.command, main.args]).toEqual([undefined, undefined]);
    expect(main.ports).toEqual(
      Object.entries(ports).map(([port, containerPort]) => ({ name: port, containerPort })),
    );
  });

  test("is given only settings that it reads, with values that it takes", () => {
    const { MIGRATE_ON_START, ...own } = environment(main);
    expect(unknownSettings(name, own)).toEqual([]);
    expect(() => configOf(name, own)).not.toThrow();
    expect(MIGRATE_ON_START).toBe(database ? "false" : undefined);
  });

  test("knows the addresses of those it calls, and of nobody else", () => {
    const expected = (CALLS[name] as string[]).map((peer) => {
      const service = find("Service", `${peer}-grpc`);
      const { ports: open } = service.spec as { ports: { port: number }[] };
      return [peer, `dns:///${service.metadata.name}:${open[0]?.port}`];
    });
    expect(peersOf(environment(main), "ADDRESS")).toEqual(Object.fromEntries(expected));
  });

  test("is asked for its health, and not restarted because the database is away", () => {
    const health =
      ports["grpc"] === undefined
        ? { httpGet: { path: "/healthz", port: "http" } }
        : { grpc: { port: ports["grpc"], service: expect.any(String) } };
    for (const probe of [main.startupProbe, main.readinessProbe]) {
      expect(probe).toMatchObject(health);
      if (probe?.grpc) expect(grpcServices(name)).toContain(probe.grpc.service);
    }
    expect(main.livenessProbe).toMatchObject(database ? { tcpSocket: { port: "grpc" } } : health);
  });

  test("is killed only after it has drained", () => {
    const { DRAIN_TIMEOUT = 0, SHUTDOWN_GRACE = 0 } = configOf(name, environment(main)) as Record<
      string,
      number
    >;
    expect(1000 * (pod.terminationGracePeriodSeconds as number)).toBeGreaterThan(
      DRAIN_TIMEOUT + SHUTDOWN_GRACE,
    );
    if (ports["grpc"] !== undefined) expect(SHUTDOWN_GRACE).toBe(5000);
  });

  test("migrates before it starts, where it has a schema, with the same database", () => {
    const migrate = pod.initContainers?.find((container) => container.name === "migrate");
    expect(migrate?.args).toEqual(database ? [`${folder}/src/migrate.ts`] : undefined);
    if (migrate === undefined) return;
    expect(migrate.image).toBe(main.image);
    const url = {
      name: "DATABASE_URL",
      valueFrom: { secretKeyRef: { name: "kindred-database", key: name } },
    };
    expect(migrate.env).toEqual([url]);
    expect(main.env).toContainEqual(url);
  });

  test("its Services lead to its ports", () => {
    const selector = { "app.kubernetes.io/name": name };
    expect(workload(name).spec.selector.matchLabels).toEqual(selector);
    expect(workload(name).spec.template.metadata.labels).toMatchObject(selector);
    expect(find("Service", name).spec).toMatchObject({
      selector,
      ports: [{ name: "http", port: ports["http"], targetPort: "http" }],
    });
    if (ports["grpc"] === undefined) return;
    // Headless, so that dns:/// sees every pod.
    expect(find("Service", `${name}-grpc`).spec).toMatchObject({
      clusterIP: "None",
      selector,
      ports: [{ name: "grpc", port: ports["grpc"], targetPort: "grpc" }],
    });
  });

  test("has an account without a token, and its replicas apart", () => {
    expect(pod).toMatchObject({ serviceAccountName: name, automountServiceAccountToken: false });
    expect(find("ServiceAccount", name)).toMatchObject({ automountServiceAccountToken: false });
    expect(pod.topologySpreadConstraints).toEqual([
      expect.objectContaining({ topologyKey: "kubernetes.io/hostname" }),
      expect.objectContaining({ topologyKey: "topology.kubernetes.io/zone" }),
    ]);
  });
});

test("the origin passes calls on to every service's HTTP port", () => {
  expect(peersOf(environment(mainOf("origin")), "URL")).toEqual(
    Object.fromEntries(
      IMAGES.filter(({ name }) => name !== "origin").map(({ name, ports }) => [
        name,
        `http://${name}:${ports["http"]}`,
      ]),
    ),
  );
});

test("the model's files are made ready where the service looks for them", () => {
  const [init] = podOf("embedding").initContainers ?? [];
  expect(init?.args).toEqual(["services/embedding/src/prepare.ts"]);
  expect(init?.volumeMounts).toEqual(mainOf("embedding").volumeMounts);
  expect(init?.volumeMounts?.map(({ mountPath }) => mountPath)).toContain("/var/cache/kindred");
  expect(dockerfileOf("services/embedding")).toContain("KINDRED_CACHE_DIR=/var/cache/kindred");
});

test("the shared settings are read by every service", () => {
  const services = IMAGES.filter(({ ports }) => ports["grpc"] !== undefined);
  expect(services.flatMap(({ name }) => unknownSettings(name, settings))).toEqual([]);
});

test("embedding is scaled by the autoscaler alone", () => {
  expect(find("HorizontalPodAutoscaler", "embedding").spec).toMatchObject({
    scaleTargetRef: { kind: "Deployment", name: "embedding" },
  });
  expect(workload("embedding").spec.replicas).toBeUndefined();
});

describe("every container", () => {
  const all = [...base, ...readResources("deploy/overlays/local")].filter(isWorkload).flatMap((manifest) => {
    const { initContainers = [], containers, ...pod } = manifest.spec.template.spec;
    return [...initContainers, ...containers].map((container) => ({
      title: `${manifest.metadata.name}/${container.name}`,
      container,
      pod,
    }));
  });

  test("was found", () => {
    expect(workloads).toHaveLength(IMAGES.length);
    expect(all.map(({ title }) => title)).toContain("database/postgresql");
    expect(all.length).toBe(IMAGES.length + 4 + 1);
  });

  test.each(all)("$title has no rights, a read-only root, and limits", ({ container, pod }) => {
    expect(pod.securityContext).toMatchObject({
      runAsNonRoot: true,
      runAsUser: expect.any(Number),
      seccompProfile: { type: "RuntimeDefault" },
    });
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
    for (const resources of [container.resources?.requests, container.resources?.limits]) {
      expect(Object.keys(resources ?? {}).toSorted()).toEqual(["cpu", "memory"]);
    }
    expect(container.image).toMatch(/:\d+\.\d+\.\d+(-\w+)?$/);
  });
});

describe("the network policies are the call table", () => {
  const policies = base.filter(isNetworkPolicy);
  const ofPod = (name: string): NetworkPolicy["spec"] => (find("NetworkPolicy", name) as NetworkPolicy).spec;
  const nameOf = (selector: { matchLabels?: Record<string, string> } | undefined): string =>
    selector?.matchLabels?.["app.kubernetes.io/name"] ?? "?";
  const portOf = (name: string, port: string | number): string => {
    const { ports } = IMAGES.find((image) => image.name === name) as (typeof IMAGES)[number];
    return (
      Object.entries(ports).find(([key, number]) => port === key || port === number)?.[0] ?? String(port)
    );
  };
  /** "caller > callee grpc", for each edge. */
  const expected = [
    ...Object.entries(CALLS).flatMap(([caller, callees]) =>
      callees.map((callee) => `${caller} > ${callee} grpc`),
    ),
    ...Object.keys(CALLS)
      .filter((name) => name !== "origin")
      .map((name) => `origin > ${name} http`),
  ].toSorted();

  test("callers may leave for those they call", () => {
    const edges = IMAGES.flatMap(({ name }) =>
      (ofPod(name).egress ?? []).flatMap(({ to = [], ports }) =>
        to.flatMap(({ podSelector }) =>
          ports.map(({ port }) => `${name} > ${nameOf(podSelector)} ${portOf(nameOf(podSelector), port)}`),
        ),
      ),
    );
    expect(edges.toSorted()).toEqual(expected);
  });

  test("the called let their callers in", () => {
    const edges = IMAGES.flatMap(({ name }) =>
      (ofPod(name).ingress ?? []).flatMap(({ from = [], ports }) =>
        from.flatMap(({ podSelector }) =>
          ports.map(({ port }) => `${nameOf(podSelector)} > ${name} ${portOf(name, port)}`),
        ),
      ),
    );
    expect(edges.toSorted()).toEqual(expected);
  });

  test("to anywhere goes only what has to: the database and the model's files", () => {
    const open = IMAGES.flatMap(({ name }) =>
      (ofPod(name).egress ?? [])
        .filter(({ to }) => to === undefined)
        .flatMap(({ ports }) => ports.map(({ port }) => `${name} ${port}`)),
    );
    expect(open.toSorted()).toEqual(
      [
        "embedding 443",
        ...IMAGES.filter(({ database }) => database).map(({ name }) => `${name} 5432`),
      ].toSorted(),
    );
  });

  test("everything else is refused", () => {
    const deny = policies.find(({ metadata }) => metadata.name === "kindred-default-deny")?.spec;
    expect(deny).toMatchObject({
      podSelector: { matchLabels: { "app.kubernetes.io/part-of": "kindred" } },
      policyTypes: ["Ingress", "Egress"],
    });
    expect(deny?.ingress).toBeUndefined();
    for (const { name } of IMAGES) expect(ofPod(name).policyTypes).toEqual(["Ingress", "Egress"]);
  });
});

test("the ingress leads every gRPC service's path to its Service, and all others to the origin", () => {
  const ingress = readResources("deploy/components/ingress").find(({ kind }) => kind === "Ingress");
  const { rules } = (ingress as Manifest).spec as {
    rules: {
      http: {
        paths: { path: string; pathType: string; backend: { service: { name: string; port: unknown } } }[];
      };
    }[];
  };
  const paths = rules[0]?.http.paths.map(({ path, pathType, backend }) => [path, pathType, backend.service]);
  const expected = IMAGES.filter(({ ports }) => ports["grpc"] !== undefined)
    .flatMap(({ name }) => grpcServices(name).map((service) => [`/${service}`, name]))
    // OpenAI's embeddings API beside the calls.
    .concat([["/v1", "embedding"]], [["/", "origin"]])
    .map(([path, name]) => [path, "Prefix", { name, port: { name: "http" } }]);
  // The longest path that fits decides, wherever it stands.
  expect(paths?.toSorted()).toEqual(expected.toSorted());
});
