import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe } from "@jest/globals";

const ROOT = new URL("../../../../shared/data/", import.meta.url);

/** Path of a file or folder of the data that stand beside the repository (../shared/data); undefined without it. */
export function sharedData(name: string): string | undefined {
  const path = fileURLToPath(new URL(name, ROOT));
  return existsSync(path) ? path : undefined;
}

/** Tests over shared data; where they are absent the tests are skipped, and their title says why. */
export function describeWithSharedData(name: string, title: string, body: (path: string) => void): void {
  const path = sharedData(name);
  if (path === undefined) {
    // Jest wants something to skip.
    // oxlint-disable-next-line jest/no-disabled-tests
    describe.skip(`${title} (skipped: ../shared/data/${name} is not there)`, () => {
      body(name);
    });
  } else {
    // oxlint-disable-next-line jest/valid-title
    describe(title, () => {
      body(path);
    });
  }
}
