import type { Command, Option } from "commander";

/**
 * The command line that repeats this one: the options that were given, with their values, for a shell.
 * @param options.without what must not be repeated, as commander names it: passwords above all
 */
export function resumeCommand(
  command: Command,
  { without = [] }: { without?: readonly string[] } = {},
): string {
  const names: string[] = [];
  const options: string[] = [];
  for (let each: Command | null = command; each; each = each.parent) {
    names.unshift(each.name());
    for (const option of each.options) {
      const name = option.attributeName();
      if (each.getOptionValueSource(name) !== "cli" || without.includes(name)) continue;
      options.push(...wordsOf(option, each.getOptionValue(name)));
    }
  }
  return [...names, ...options].join(" ");
}

function wordsOf({ long, negate }: Option, value: unknown): string[] {
  if (!long) return [];
  // `--name` and `--no-name` set the same value.
  if (typeof value === "boolean") return value === negate ? [] : [long];
  return negate ? [] : [long, quoted(String(value))];
}

function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
