import { expect, test } from "@jest/globals";
import { startupSettings } from "./startup-options.ts";

const settings = (options: string, more: Record<string, string> = {}) =>
  Object.fromEntries(
    startupSettings(new Map(Object.entries({ user: "u", database: "d", options, ...more }))),
  );

test("options are read as a command line gives them", () => {
  expect(settings(String.raw`-c search_path="a",public -c statement_timeout=30000`)).toEqual({
    search_path: '"a",public',
    statement_timeout: "30000",
  });
  expect(settings(String.raw`-csearch_path=a,\ b --work_mem=4MB -c note=back\\slash`)).toEqual({
    search_path: "a, b",
    work_mem: "4MB",
    note: "back\\slash",
  });
});

test("parameters that are settings count, the others do not", () => {
  expect(settings("", { application_name: "me", client_encoding: "UTF8", statement_timeout: "5" })).toEqual({
    application_name: "me",
    statement_timeout: "5",
  });
});

test.each(["", "-c", "-c nothing", "-x y=1 =2", "plain"])("%j sets nothing", (options) => {
  expect(settings(options)).toEqual({});
});
