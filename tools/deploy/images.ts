import { readFileSync } from "node:fs";
import { repositoryPath, SERVICES } from "@kindred/process";

/** What is deployed: one image each, named kindred/NAME. */
export interface Image {
  name: string;
  /** Folder from the repository's root. */
  folder: string;
  /** What the image starts. */
  main: string;
  /** By the names that manifests give them; gRPC first. */
  ports: Readonly<Record<string, number>>;
  /** Whether it needs DATABASE_URL, and has migrations. */
  database: boolean;
}

const services: readonly Image[] = SERVICES.map(({ name, ports, database }) => ({
  name,
  folder: `services/${name}`,
  main: `services/${name}/src/main.ts`,
  ports: { grpc: ports.grpc, http: ports.http },
  database,
}));

export const IMAGES: readonly Image[] = [
  ...services,
  {
    name: "origin",
    folder: "apps/dashboard",
    main: "apps/dashboard/server/main.ts",
    ports: { http: 8080 },
    database: false,
  },
];

/** Who calls whose gRPC port (docs/adr/0001); samples to metrics and events about model caches included. Other edges do not exist. */
export const CALLS: Readonly<Record<string, readonly string[]>> = {
  embedding: ["generation-tracking", "metrics"],
  "vector-store": ["embedding", "metrics"],
  "generation-tracking": ["vector-store", "metrics"],
  metrics: ["vector-store", "generation-tracking"],
  origin: [],
};

export function readText(path: string): string {
  return readFileSync(repositoryPath(path), "utf8");
}

export function readJson<T>(path: string): T {
  return JSON.parse(readText(path)) as T;
}

/** The tag of every image. */
export const VERSION = readJson<{ version: string }>("package.json").version;
