import {
  fromJson,
  type DescMessage,
  type JsonObject,
  type JsonValue,
  type MessageShape,
} from "@bufbuild/protobuf";
import { messageOf } from "@kindred/errors";

/** @throws Error that says what is wrong with the JSON, by the names of its members. */
export function messageFromJson<Desc extends DescMessage>(desc: Desc, json: JsonObject): MessageShape<Desc> {
  try {
    return fromJson(desc, json);
  } catch (error) {
    throw new Error(inPlainWords(messageOf(error)), { cause: error });
  }
}

/** "cannot decode field a.b.C.width from JSON: expected number (int32), got string" is about "width". */
function inPlainWords(message: string): string {
  const wrong = /cannot decode field (?:[\w.]+\.)?(\w+) from JSON(?:: (.*))?$/s.exec(message);
  if (wrong) return `"${wrong[1]}": ${wrong[2] ?? "it is of another type"}`;
  return message.replace(/^cannot decode message [\w.]+ from JSON: /, "");
}

/** The line's object. @throws Error that says what is wrong with the line. */
export function objectOfLine(line: string, example: string): JsonObject {
  let value: JsonValue;
  try {
    value = JSON.parse(line) as JsonValue;
  } catch (error) {
    throw new Error("it is no JSON", { cause: error });
  }
  if (!isObject(value)) throw new Error(`it is no JSON object such as ${example}`);
  return value;
}

export function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** @throws Error that names the first member that is none of those known. */
export function requireMembers(
  object: JsonObject,
  known: ReadonlySet<string>,
  what: string,
  remedy?: string,
): void {
  const unknown = Object.keys(object).find((name) => !known.has(name));
  if (unknown === undefined) return;
  throw new Error(
    `${JSON.stringify(unknown)} is no member of ${what}${remedy === undefined ? "" : `; ${remedy}`}`,
  );
}
