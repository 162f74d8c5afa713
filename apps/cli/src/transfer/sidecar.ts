import type { JsonValue } from "@bufbuild/protobuf";
import { isObject } from "./json-message.ts";

/** What a file beside a picture says about it. */
export interface Sidecar {
  captions: string[];
  tags: string[];
}

/** Every line that is not empty is a caption. */
export function captionsInText(text: string): Sidecar {
  return { captions: text.split(/\r?\n/).flatMap(trimmed), tags: [] };
}

/**
 * {"caption": "…"}, {"captions": ["…", …]} or {"description": "…"}, with {"tags": ["…"]} if wanted; other members are not looked at:
 * such files come from many makers.
 * @throws Error that says what is wrong with it
 */
export function captionsInJson(text: string): Sidecar {
  let json: JsonValue;
  try {
    json = JSON.parse(text) as JsonValue;
  } catch (error) {
    throw new Error("it is no JSON", { cause: error });
  }
  if (!isObject(json)) throw new Error('it is no JSON object such as {"caption": "A cat."}');
  const { caption, captions, description, tags } = json;
  const found = [
    ...textsOf("caption", caption),
    ...textsOf("captions", captions),
    ...(caption === undefined && captions === undefined ? textsOf("description", description) : []),
  ];
  return { captions: found, tags: textsOf("tags", tags) };
}

function textsOf(name: string, value: JsonValue | undefined): string[] {
  if (value === undefined || value === null) return [];
  const values = Array.isArray(value) ? value : [value];
  return values.flatMap((each) => {
    if (typeof each !== "string") throw new Error(`"${name}" has to be a text, or a list of texts`);
    return trimmed(each);
  });
}

function trimmed(text: string): string[] {
  const line = text.trim();
  return line === "" ? [] : [line];
}
