/** One instruction of a Dockerfile, continuation lines joined. */
export interface Instruction {
  /** In capitals, e.g. "COPY". */
  keyword: string;
  /** `--from=x` as { from: "x" }, `--parents` as { parents: "" }. Of options given twice the last one. */
  flags: Readonly<Record<string, string>>;
  /** What follows the flags, as it is written. */
  rest: string;
  /** `rest` as words; the elements of a JSON array where it is one. */
  words: readonly string[];
}

export interface Stage {
  /** An image, or the name of an earlier stage. */
  base: string;
  name: string | undefined;
  instructions: readonly Instruction[];
}

export interface Dockerfile {
  /** Values of the ARGs above the first FROM. */
  args: Readonly<Record<string, string>>;
  stages: readonly Stage[];
}

/** Reads the Dockerfiles of this repository: no heredocs, no ONBUILD, no other escape character. */
export function parseDockerfile(text: string): Dockerfile {
  const args: Record<string, string> = {};
  const stages: (Stage & { instructions: Instruction[] })[] = [];
  for (const instruction of instructionsOf(text)) {
    const { keyword, words } = instruction;
    if (keyword === "FROM") {
      const base = (words[0] as string).replace(/\$\{(\w+)\}/g, (_, name: string) => args[name] ?? "");
      stages.push({ base, name: words[1]?.toUpperCase() === "AS" ? words[2] : undefined, instructions: [] });
    } else if (stages.length === 0) {
      for (const word of words) args[word.split("=")[0] as string] = word.split("=")[1] ?? "";
    } else {
      stages.at(-1)?.instructions.push(instruction);
    }
  }
  return { args, stages };
}

function instructionsOf(text: string): Instruction[] {
  return text
    .split("\n")
    .filter((line) => !/^\s*(#|$)/.test(line))
    .join("\n")
    .replace(/\\\n/g, " ")
    .split("\n")
    .map(parseInstruction);
}

function parseInstruction(line: string): Instruction {
  const [, keyword = "", options = "", rest = ""] = /^\s*(\w+)((?:\s+--\S+)*)\s*(.*?)\s*$/.exec(line) ?? [];
  const flags = Object.fromEntries(
    [...options.matchAll(/--([\w-]+)(?:=(\S*))?/g)].map(([, name = "", value = ""]) => [name, value]),
  );
  const words = rest.startsWith("[") ? (JSON.parse(rest) as string[]) : rest.split(/\s+/);
  return { keyword: keyword.toUpperCase(), flags, rest, words };
}

/** The stage that `docker build` makes the image of, with the stages below it, that one last. */
export function finalStages(dockerfile: Dockerfile): Stage[] {
  const chain: Stage[] = [];
  for (let stage = dockerfile.stages.at(-1); stage !== undefined;) {
    chain.unshift(stage);
    const { base } = stage;
    stage = dockerfile.stages.find((other) => other.name === base);
  }
  return chain;
}

/** The last instruction of a kind in the image, those of the stages below it included. */
export function lastOf(dockerfile: Dockerfile, keyword: string): Instruction | undefined {
  return finalStages(dockerfile)
    .flatMap((stage) => stage.instructions)
    .findLast((instruction) => instruction.keyword === keyword);
}

/** ENV of the image. Values without spaces or quotes, as NAME=value. */
export function environmentOf(dockerfile: Dockerfile): Record<string, string> {
  return Object.fromEntries(
    finalStages(dockerfile)
      .flatMap((stage) => stage.instructions)
      .filter(({ keyword }) => keyword === "ENV")
      .flatMap(({ words }) => words.map((word) => word.split("=") as [string, string])),
  );
}

/** Whether .dockerignore keeps a file (a path from the repository root) out of the build context. */
export function dockerignore(text: string): (path: string) => boolean {
  const rules = text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => ({
      ignores: !line.startsWith("!"),
      // A rule speaks of a path and of everything below it.
      pattern: new RegExp(`^${patternSource(line.replace(/^!/, ""))}(/.*)?$`),
    }));
  return (path) => rules.findLast(({ pattern }) => pattern.test(path))?.ignores ?? false;
}

function patternSource(pattern: string): string {
  return pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replace(/\*\*\/|\*\*|\*|\?/g, (wildcard) =>
      wildcard === "**/" ? "(?:.*/)?" : wildcard === "**" ? ".*" : wildcard === "*" ? "[^/]*" : "[^/]",
    );
}
