/**
 * The session settings in a startup message: `options` as a command line would give them (`-c name=value`, where a
 * backslash takes the next character as it is), and parameters that are settings themselves.
 */
export function startupSettings(parameters: ReadonlyMap<string, string>): Map<string, string> {
  const settings = new Map<string, string>();
  const words = splitOptions(parameters.get("options") ?? "");
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as string;
    const text = word === "-c" ? words[++i] : (/^(?:-c|--)(.+)$/.exec(word)?.[1] ?? undefined);
    const equals = text?.indexOf("=") ?? -1;
    if (text !== undefined && equals > 0) settings.set(text.slice(0, equals), text.slice(equals + 1));
  }
  for (const [name, value] of parameters) if (!NOT_SETTINGS.has(name)) settings.set(name, value);
  return settings;
}

const NOT_SETTINGS = new Set(["user", "database", "options", "replication", "client_encoding"]);

function splitOptions(text: string): string[] {
  return [...text.matchAll(/(?:\\.|[^\\\s])+/g)].map(([word]) => word.replace(/\\(.)/g, "$1"));
}
