import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const ROOT = new URL("../../../../shared/data/", import.meta.url);

/** Path of a file or folder of the data that stand beside the repository (../shared/data); undefined without it. */
export function sharedData(name: string): string | undefined {
  const path = fileURLToPath(new URL(name, ROOT));
  return existsSync(path) ? path : undefined;
}

interface Describe {
  (title: string, body: () => void): void;
  skip(title: string, body: () => void): void;
}

/**
 * Tests over shared data; where they are absent the tests are skipped, and their title says why. Jest's own globals
 * are used, for benchmarks import this library outside of it, where `@jest/globals` cannot be imported.
 * @param body gets the path of the data
 */
export function describeWithSharedData(name: string, title: string, body: (path: string) => void): void {
  const { describe: suite } = globalThis as unknown as { describe: Describe };
  const path = sharedData(name);
  if (path === undefined)
    suite.skip(`${title} (skipped: ../shared/data/${name} is not there)`, () => body(name));
  else suite(title, () => body(path));
}
