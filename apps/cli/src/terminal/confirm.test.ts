import { PassThrough } from "node:stream";
import { describe, expect, test } from "@jest/globals";
import { confirm } from "./confirm.ts";

function ask(answer: string | null, options: { yes?: boolean; interactive?: boolean } = {}) {
  const [input, output] = [new PassThrough(), new PassThrough()];
  if (answer === null) input.end();
  else input.write(answer);
  const asked = confirm({ question: "Delete it", yes: false, interactive: true, ...options, input, output });
  return { asked, shown: () => String(output.read() ?? "") };
}

test.each(["y\n", "YES\n", " yes \n"])("%j agrees", async (answer) => {
  const { asked, shown } = ask(answer);
  await expect(asked).resolves.toBeUndefined();
  expect(shown()).toContain("Delete it? [y/N] ");
});

test.each(["\n", "n\n", "yesterday\n"])("%j does not", async (answer) => {
  await expect(ask(answer).asked).rejects.toMatchObject({ message: "Nothing was done.", exitCode: 1 });
});

test("the end of the input does not", async () => {
  await expect(ask(null).asked).rejects.toMatchObject({ exitCode: 130 });
});

describe("nobody is asked", () => {
  test("who has agreed already", async () => {
    const { asked, shown } = ask(null, { yes: true, interactive: false });
    await asked;
    expect(shown()).toBe("");
  });

  test("where there is no terminal", async () => {
    const { asked } = ask("y\n", { interactive: false });
    await expect(asked).rejects.toMatchObject({ exitCode: 2, remedy: "Agree to it with --yes." });
  });
});
