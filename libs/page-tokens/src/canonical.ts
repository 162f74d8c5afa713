/**
 * One text for equal plain data, and different texts for different data. Members are sorted by name, undefined ones left out; integers of any
 * size are apart from numbers and texts.
 * @throws TypeError for anything but null, undefined, truth values, numbers, bigints, texts, lists, and objects of these.
 */
export function canonical(value: unknown): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value);
    case "bigint":
      return `${value}n`;
    case "number":
    case "boolean":
    case "undefined":
      return String(value);
    case "object":
      if (value === null) return "null";
      if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
      if (Object.prototype.toString.call(value) === "[object Object]") return `{${members(value).join(",")}}`;
  }
  throw new TypeError(`a list's conditions are plain data, not ${String(value)}`);
}

function members(value: object): string[] {
  return Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`);
}
