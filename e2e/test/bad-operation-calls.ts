import type { BadCall } from "./bad-calls.ts";

export const BAD_OPERATION_CALLS: BadCall[] = [
  {
    name: "GetOperation of none",
    call: ({ operations }) => operations.getOperation({}),
    kind: "invalid-argument",
    field: "id",
  },
  {
    name: "GetOperation of an unknown one",
    call: ({ operations }) => operations.getOperation({ id: 2n ** 62n }),
    kind: "not-found",
  },
  {
    name: "CancelOperation of a negative id",
    call: ({ operations }) => operations.cancelOperation({ id: -1n }),
    kind: "invalid-argument",
    field: "id",
  },
  {
    name: "CancelOperation of an unknown one",
    call: ({ operations }) => operations.cancelOperation({ id: 2n ** 62n }),
    kind: "not-found",
  },
  {
    name: "WatchOperation of none",
    call: ({ operations }) => Array.fromAsync(operations.watchOperation({})),
    kind: "invalid-argument",
    field: "id",
  },
  {
    name: "WatchOperation of an unknown one",
    call: ({ operations }) => Array.fromAsync(operations.watchOperation({ id: 2n ** 62n })),
    kind: "not-found",
  },
  {
    name: "ListOperations of a collection with SQL for a name",
    call: ({ operations }) => operations.listOperations({ collection: "a'; DROP TABLE operations; --" }),
    kind: "invalid-argument",
    field: "collection",
  },
  {
    name: "ListOperations with a token of one's own making",
    call: ({ operations }) => operations.listOperations({ pageToken: "page two" }),
    kind: "invalid-argument",
    field: "page_token",
  },
  {
    name: "ListOperations of 5,000",
    call: ({ operations }) => operations.listOperations({ pageSize: 5000 }),
    kind: "invalid-argument",
    field: "page_size",
  },
  {
    name: "MeasureRecall with a confidence of 1",
    call: ({ recall }) => recall.measureRecall({ confidence: 1 }),
    kind: "invalid-argument",
    field: "confidence",
  },
  {
    name: "MeasureRecall of an unknown collection",
    call: ({ recall }) => recall.measureRecall({ collection: "nobody" }),
    kind: "not-found",
  },
  {
    name: "ListRecallMeasurements of -1",
    call: ({ recall }) => recall.listRecallMeasurements({ pageSize: -1 }),
    kind: "invalid-argument",
    field: "page_size",
  },
];
