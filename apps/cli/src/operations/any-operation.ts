import { createClient } from "@connectrpc/connect";
import {
  OperationKind as GenerationOperationKind,
  OperationSchema as GenerationOperationSchema,
  OperationService as GenerationOperationService,
  type Operation as GenerationOperation,
} from "@kindred/contracts/generation-tracking/v1";
import {
  OperationKind,
  OperationSchema,
  OperationService,
  type Operation as StoreOperation,
} from "@kindred/contracts/vector-store/v1";
import { openTransport } from "../clients.ts";
import { toPlain } from "../plain.ts";

/** An operation of either service that has them; their states have the same numbers. */
export type Operation = StoreOperation | GenerationOperation;

export const OPERATION_SERVICES = ["vector-store", "generation-tracking"] as const;
export type OperationServiceName = (typeof OPERATION_SERVICES)[number];

/** Each service counts its own: ids of generation-tracking's operations have a "g" in front where people see them. */
export interface OperationId {
  service: OperationServiceName;
  id: bigint;
}

/** What can be asked about operations, of either service. */
export interface OperationCalls {
  get(id: bigint): Promise<Operation | undefined>;
  cancel(id: bigint): Promise<Operation | undefined>;
  watch(
    id: bigint,
    options: { signal: AbortSignal; timeoutMs: number },
  ): AsyncIterable<{ operation?: Operation | undefined }>;
  list(query: {
    subject: string;
    active: boolean;
    pageSize: number;
  }): Promise<{ operations: Operation[]; more: boolean }>;
}

export function operationCalls(
  options: { url: string; timeoutMs: number },
  service: OperationServiceName,
): OperationCalls {
  const transport = openTransport(options);
  if (service === "vector-store") {
    const client = createClient(OperationService, transport);
    return {
      get: async (id) => (await client.getOperation({ id })).operation,
      cancel: async (id) => (await client.cancelOperation({ id })).operation,
      watch: (id, call) => client.watchOperation({ id }, call),
      async list({ subject, active, pageSize }) {
        const reply = await client.listOperations({ collection: subject, active, pageSize });
        return { operations: reply.operations, more: reply.nextPageToken !== "" };
      },
    };
  }
  const client = createClient(GenerationOperationService, transport);
  return {
    get: async (id) => (await client.getOperation({ id })).operation,
    cancel: async (id) => (await client.cancelOperation({ id })).operation,
    watch: (id, call) => client.watchOperation({ id }, call),
    async list({ subject, active, pageSize }) {
      const reply = await client.listOperations({ subject, active, pageSize });
      return { operations: reply.operations, more: reply.nextPageToken !== "" };
    },
  };
}

export function serviceOf({ $typeName }: Pick<Operation, "$typeName">): OperationServiceName {
  return $typeName === GenerationOperationSchema.typeName ? "generation-tracking" : "vector-store";
}

/** As people give and see it: "17", "g17". */
export function idTextOf(operation: Pick<Operation, "$typeName" | "id">): string {
  return `${serviceOf(operation) === "generation-tracking" ? "g" : ""}${operation.id}`;
}

/** @returns undefined for what is no id */
export function readOperationId(text: string): OperationId | undefined {
  const [, prefix, digits = ""] = /^(g?)(\d{1,19})$/.exec(text) ?? [];
  const id = BigInt(digits || 0);
  if (id < 1n || id >= 2n ** 63n) return undefined;
  return { service: prefix === "g" ? "generation-tracking" : "vector-store", id };
}

/** The name of what it is about: of a collection, or of a policy. */
export function subjectOf(operation: Operation): string {
  return isOfGenerations(operation) ? operation.subject : operation.collection;
}

const STORE_KINDS: Record<OperationKind, string> = {
  [OperationKind.UNSPECIFIED]: "operation",
  [OperationKind.INDEX_BUILD]: "index build",
  [OperationKind.INDEX_REBUILD]: "index rebuild",
  [OperationKind.INDEX_DROP]: "index drop",
  [OperationKind.RECALL_TUNING]: "recall tuning",
  [OperationKind.REEMBEDDING]: "re-embedding",
};

const GENERATION_KINDS: Record<GenerationOperationKind, string> = {
  [GenerationOperationKind.UNSPECIFIED]: "operation",
  [GenerationOperationKind.RETENTION]: "retention",
};

/** A number that a later version of the contract may have added is shown as it is. */
export function kindOf(operation: Operation): string {
  const known = isOfGenerations(operation) ? GENERATION_KINDS[operation.kind] : STORE_KINDS[operation.kind];
  return known ?? String(operation.kind);
}

/** For programs. */
export function plainOperation(operation: Operation): object {
  return isOfGenerations(operation)
    ? toPlain(GenerationOperationSchema, operation)
    : toPlain(OperationSchema, operation);
}

function isOfGenerations(operation: Operation): operation is GenerationOperation {
  return serviceOf(operation) === "generation-tracking";
}
