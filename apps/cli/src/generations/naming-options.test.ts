import { describe, expect, test } from "@jest/globals";
import { Code, ConnectError } from "@connectrpc/connect";
import { invalidFields, KindredError, type FieldViolation } from "@kindred/errors";
import { toConnectError } from "@kindred/rpc";
import { Command } from "commander";
import { addFilterOptions } from "./filter-options.ts";
import { namingOptions } from "./naming-options.ts";

const list = addFilterOptions(new Command("list"));
const record = new Command("record")
  .option("--error <text>")
  .option("--label <label>")
  .option("--model <json>");

const refusing = (...violations: FieldViolation[]) => toConnectError(invalidFields(violations));
const naming = (command: Command, error: unknown) => namingOptions(command, () => Promise.reject(error));

describe("what a service refuses", () => {
  test("is said of the options that were typed, and programs are told the fields", async () => {
    const violations = [
      { field: "filter.created_after", description: "must not be later than created_before" },
      { field: "filter.model_config[0].path", description: "must have a name" },
      { field: "filter.model_name[0]", description: "must be short" },
    ];
    await expect(naming(list, refusing(...violations))).rejects.toMatchObject({
      kind: "invalid-argument",
      message:
        "--since must not be later than --until; --config must have a name; --model-name must be short",
      violations,
    });
  });

  test.each([
    ["generation.error_message", "--error"],
    ["error_message", "--error"],
    ["generation.labels[2]", "--label"],
    ["generation.model_config.a", "--model"],
    ["generation.sampler", "generation.sampler"],
    ["page_token", "page_token"],
  ])("%s is %s of this command", async (field, option) => {
    await expect(naming(record, refusing({ field, description: "is bad" }))).rejects.toMatchObject({
      message: `${option} is bad`,
    });
  });

  test.each([
    ["not found", new ConnectError("no such", Code.NotFound)],
    ["away", new KindredError("unavailable", "away")],
    ["no call at all", new Error("other")],
  ])("for another reason stays as it is: %s", async (_, error) => {
    await expect(naming(list, error)).rejects.toBe(error);
  });
});
