import type { MessageInitShape } from "@bufbuild/protobuf";
import type { FilterSchema, ScalarSchema } from "@kindred/contracts/vector-store/v1";
import type { Bound, Filter, Scalar } from "../src/domain/filter.ts";

type FilterInit = MessageInitShape<typeof FilterSchema>;

/** The message that a caller sends for the filter. */
export function toFilterMessage(filter: Filter): FilterInit {
  switch (filter.kind) {
    case "and":
    case "or":
      return { condition: { case: filter.kind, value: { filters: filter.filters.map(toFilterMessage) } } };
    case "not":
      return { condition: { case: "not", value: toFilterMessage(filter.filter) } };
    case "exists":
      return { condition: { case: "exists", value: { segments: [...filter.path] } } };
    case "eq":
    case "contains":
      return {
        condition: {
          case: filter.kind,
          value: { field: { segments: [...filter.path] }, value: toScalarMessage(filter.value) },
        },
      };
    case "in":
      return {
        condition: {
          case: "in",
          value: { field: { segments: [...filter.path] }, values: filter.values.map(toScalarMessage) },
        },
      };
    case "prefix":
      return {
        condition: {
          case: "prefix",
          value: { field: { segments: [...filter.path] }, prefix: filter.prefix },
        },
      };
    case "range":
      return {
        condition: {
          case: "range",
          value: {
            field: { segments: [...filter.path] },
            ...boundMessage("gt", filter.lower),
            ...boundMessage("lt", filter.upper),
          },
        },
      };
  }
}

function boundMessage(side: "gt" | "lt", bound: Bound | undefined): object {
  return bound ? { [bound.inclusive ? `${side}e` : side]: toScalarMessage(bound.value) } : {};
}

function toScalarMessage(value: Scalar): MessageInitShape<typeof ScalarSchema> {
  switch (typeof value) {
    case "string":
      return { value: { case: "text", value } };
    case "number":
      return { value: { case: "number", value } };
    case "bigint":
      return { value: { case: "integer", value } };
    case "boolean":
      return { value: { case: "boolean", value } };
  }
}
