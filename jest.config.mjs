import { fileURLToPath } from "node:url";

/** Three rings: unit tests beside the code, RPC tests in memory, *.int.test.ts against the real database and model. */
export default {
  rootDir: fileURLToPath(new URL(".", import.meta.url)),
  roots: [
    "<rootDir>/libs",
    "<rootDir>/services",
    "<rootDir>/apps",
    "<rootDir>/tools",
    "<rootDir>/bench",
    "<rootDir>/e2e",
  ],
  testMatch: ["**/*.test.ts", "**/*.test.tsx"],
  testPathIgnorePatterns: ["/node_modules/", "/dist/"],
  extensionsToTreatAsEsm: [".ts", ".tsx"],
  transform: { "\\.ts$": "<rootDir>/tools/jest/strip-types-transformer.mjs" },
  testEnvironment: "<rootDir>/tools/jest/environment.mjs",
  globalSetup: "<rootDir>/libs/testing/src/jest-global-setup.ts",
  globalTeardown: "<rootDir>/libs/testing/src/jest-global-teardown.ts",
  testTimeout: 30_000,
  maxWorkers: 2,
};
