import type { Command } from "commander";

/** The command line that repeats this one: the options that were given, with their values, for a shell. */
export function resumeCommand(command: Command): string {
  const names: string[] = [];
  const options: string[] = [];
  for (let each: Command | null = command; each; each = each.parent) {
    names.unshift(each.name());
    const values = each.opts() as Record<string, unknown>;
    for (const option of each.options) {
      const name = option.attributeName();
      if (each.getOptionValueSource(name) !== "cli" || !option.long) continue;
      const value = values[name];
      options.push(typeof value === "boolean" ? option.long : `${option.long} ${quoted(String(value))}`);
    }
  }
  return [...names, ...options].join(" ");
}

function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
