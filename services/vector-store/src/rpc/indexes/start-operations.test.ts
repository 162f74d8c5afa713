import { expect, test } from "@jest/globals";
import type { HandlerContext } from "@connectrpc/connect";
import { create } from "@bufbuild/protobuf";
import {
  ListIndexesRequestSchema,
  StartIndexBuildRequestSchema,
  StartIndexDropRequestSchema,
  StartIndexRebuildRequestSchema,
} from "@kindred/contracts/vector-store/v1";
import { badFieldsOf } from "@kindred/testing";
import { listIndexesRpc } from "./list-indexes.ts";
import { startIndexBuildRpc } from "./start-index-build.ts";
import { startIndexDropRpc } from "./start-index-drop.ts";
import { startIndexRebuildRpc } from "./start-index-rebuild.ts";

/** Bad requests are refused before anything is asked for. */
const untouchable = new Proxy(
  {},
  {
    get: (_, name) => {
      throw new Error(`${String(name)} was asked for`);
    },
  },
) as never;
const context = untouchable as HandlerContext;

test("a build with everything wrong is told all of it", async () => {
  const request = create(StartIndexBuildRequestSchema, {
    collection: "No",
    spec: { m: 1, efConstruction: 5000 },
    requestId: "x".repeat(201),
  });
  expect(await badFieldsOf(startIndexBuildRpc(untouchable)(request, context))).toEqual([
    "collection",
    "spec.m",
    "spec.ef_construction",
    "request_id",
  ]);
});

test("a rebuild and a drop with everything wrong are told all of it", async () => {
  const bad = { collection: "No", indexName: "a\0", requestId: "\0" };
  const rebuild = create(StartIndexRebuildRequestSchema, bad);
  const fields = ["collection", "index_name", "request_id"];
  expect(await badFieldsOf(startIndexRebuildRpc(untouchable)(rebuild, context))).toEqual(fields);
  const drop = create(StartIndexDropRequestSchema, { ...bad, indexName: "" });
  expect(await badFieldsOf(startIndexDropRpc(untouchable)(drop, context))).toEqual(fields);
});

test("a list is of one collection or of all", async () => {
  const both = create(ListIndexesRequestSchema, { collection: "things", allCollections: true });
  expect(await badFieldsOf(listIndexesRpc(untouchable)(both, context))).toEqual(["collection"]);
});
