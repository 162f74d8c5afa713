import { createClient } from "@connectrpc/connect";
import { OperationKind, OperationSchema, type Operation } from "@kindred/contracts/common/v1";
import { OperationService as GenerationOperationService } from "@kindred/contracts/generation-tracking/v1";
import { OperationService } from "@kindred/contracts/vector-store/v1";
import { openTransport } from "../clients.ts";
import { toPlain } from "../plain.ts";

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
  const store = createClient(OperationService, transport);
  const generations = createClient(GenerationOperationService, transport);
  const client = service === "vector-store" ? store : generations;
  return {
    get: async (id) => (await client.getOperation({ id })).operation,
    cancel: async (id) => (await client.cancelOperation({ id })).operation,
    watch: (id, call) => client.watchOperation({ id }, call),
    async list({ subject, ...page }) {
      const { operations, nextPageToken } = await (service === "vector-store"
        ? store.listOperations({ collection: subject, ...page })
        : generations.listOperations({ policy: subject, ...page }));
      return { operations, more: nextPageToken !== "" };
    },
  };
}

export function serviceOf({ subject }: Pick<Operation, "subject">): OperationServiceName {
  return subject.case === "policy" ? "generation-tracking" : "vector-store";
}

/** As people give and see it: "17", "g17". */
export function idTextOf(operation: Pick<Operation, "subject" | "id">): string {
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
export function subjectOf({ subject }: Pick<Operation, "subject">): string {
  return subject.value ?? "";
}

const KINDS: Record<OperationKind, string> = {
  [OperationKind.UNSPECIFIED]: "operation",
  [OperationKind.INDEX_BUILD]: "index build",
  [OperationKind.INDEX_REBUILD]: "index rebuild",
  [OperationKind.INDEX_DROP]: "index drop",
  [OperationKind.RECALL_TUNING]: "recall tuning",
  [OperationKind.REEMBEDDING]: "re-embedding",
  [OperationKind.RETENTION]: "retention",
};

/** A number that a later version of the contract may have added is shown as it is. */
export function kindOf({ kind }: Pick<Operation, "kind">): string {
  return KINDS[kind] ?? String(kind);
}

/** For programs. */
export function plainOperation(operation: Operation): object {
  return toPlain(OperationSchema, operation);
}
