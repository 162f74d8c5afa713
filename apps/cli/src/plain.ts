import {
  ScalarType,
  toJson,
  type DescMessage,
  type JsonObject,
  type JsonValue,
  type MessageShape,
} from "@bufbuild/protobuf";

/**
 * A message for programs that read JSON: the fields' names as in the .proto files, every field that has no presence written even
 * when it is empty, times in RFC 3339, and 64-bit integers as numbers where a number holds them exactly (protobuf's own JSON has
 * strings there, which `jq` cannot compare).
 */
export function toPlain<Desc extends DescMessage>(desc: Desc, message: MessageShape<Desc>): JsonObject {
  const json = toJson(desc, message, { useProtoFieldName: true, alwaysEmitImplicit: true });
  return withNumbers(desc, json as JsonObject);
}

const WIDE = new Set([
  ScalarType.INT64,
  ScalarType.UINT64,
  ScalarType.SINT64,
  ScalarType.FIXED64,
  ScalarType.SFIXED64,
]);

function withNumbers(desc: DescMessage, json: JsonObject): JsonObject {
  // Google's own types have a JSON form of their own.
  if (desc.file.proto.package === "google.protobuf") return json;
  const plain: JsonObject = { ...json };
  for (const field of desc.fields) {
    const value = plain[field.name];
    if (value === undefined) continue;
    const scalar = field.fieldKind === "scalar" || field.fieldKind === "list" ? field.scalar : undefined;
    if (scalar !== undefined && WIDE.has(scalar)) plain[field.name] = eachOf(value, toNumber);
    else if (field.message && field.fieldKind !== "map") {
      const inner = field.message;
      plain[field.name] = eachOf(value, (item) =>
        typeof item === "object" && item !== null && !Array.isArray(item) ? withNumbers(inner, item) : item,
      );
    }
  }
  return plain;
}

function eachOf(value: JsonValue, change: (item: JsonValue) => JsonValue): JsonValue {
  return Array.isArray(value) ? value.map(change) : change(value);
}

function toNumber(value: JsonValue): JsonValue {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
