import { execFileSync } from "node:child_process";
import { expect, test } from "@jest/globals";

const module = new URL("./native-variable.ts", import.meta.url).href;
const child = (env: Record<string, string>): string =>
  // printenv is another program: it sees what native code of the process sees.
  execFileSync(
    process.execPath,
    [
      "--input-type=module",
      "--eval",
      `import { setNativeVariable } from ${JSON.stringify(module)};
       import { execFileSync } from "node:child_process";
       setNativeVariable("KINDRED_NATIVE_TEST", "ours");
       process.stdout.write(execFileSync("printenv", ["KINDRED_NATIVE_TEST"]));`,
    ],
    { encoding: "utf8", env: { ...process.env, ...env } },
  ).trim();

test("the variable is set, and what the user has set stays", () => {
  expect(child({})).toBe("ours");
  expect(child({ KINDRED_NATIVE_TEST: "theirs" })).toBe("theirs");
});
