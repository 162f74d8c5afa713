import type { Command } from "commander";

/**
 * The command line that was given, without the options that it would be wrong to repeat, ready for a shell. Global options are not in
 * it, but for the home, which says where files are.
 * @param options.without names as commander has them; passwords above all
 */
export function resumeLine(command: Command, options: { without: readonly string[] }): string {
  const program = command.parent?.parent;
  const words = [program?.name(), command.parent?.name(), command.name()].filter(
    (word) => word !== undefined,
  );
  const given = program ? [command, program] : [command];
  for (const level of given) {
    for (const option of level.options) {
      const name = option.attributeName();
      const isHere = level === command ? !options.without.includes(name) : name === "home";
      if (!isHere || level.getOptionValueSource(name) !== "cli") continue;
      const value = level.getOptionValue(name) as unknown;
      const flag = option.long ?? option.flags;
      if (option.negate) {
        if (value === false) words.push(flag);
      } else if (value === true) words.push(flag);
      else if (value !== false) words.push(flag, shellWord(String(value)));
    }
  }
  return words.join(" ");
}

/** As a POSIX shell reads it back. */
function shellWord(text: string): string {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
