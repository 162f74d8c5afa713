import { expect, test } from "@jest/globals";
import { Command } from "commander";
import { resumeCommand } from "./resume-command.ts";

async function resumed(args: readonly string[], without: readonly string[] = []): Promise<string> {
  let line = "";
  const program = new Command("kindred").option("--json").option("--url <url>");
  program
    .command("songs")
    .command("cache")
    .option("--query <sql>")
    .option("--workers <n>", "", Number, 8)
    .option("--name-column <name>", "", "name")
    .option("--no-name-column")
    .option("--source-url <url>")
    .option("--anew")
    .action((_options: unknown, command: Command) => void (line = resumeCommand(command, { without })));
  await program.parseAsync(args, { from: "user" });
  return line;
}

test("repeats what was given, and no defaults", async () => {
  expect(await resumed(["songs", "cache"])).toBe("kindred songs cache");
  expect(await resumed(["--url", "http://a:1", "songs", "cache", "--anew", "--workers", "4"])).toBe(
    "kindred songs cache --workers 4 --anew --url http://a:1",
  );
});

test("quotes for a shell", async () => {
  expect(await resumed(["songs", "cache", "--query", "SELECT 'it''s' FROM songs"])).toBe(
    String.raw`kindred songs cache --query 'SELECT '\''it'\'''\''s'\'' FROM songs'`,
  );
});

test("tells --name-column from --no-name-column", async () => {
  expect(await resumed(["songs", "cache", "--name-column", "title"])).toBe(
    "kindred songs cache --name-column title",
  );
  expect(await resumed(["songs", "cache", "--no-name-column"])).toBe("kindred songs cache --no-name-column");
});

test("leaves out what must not be repeated", async () => {
  const args = ["songs", "cache", "--source-url", "postgresql://me:secret@db/music", "--anew"];
  expect(await resumed(args, ["sourceUrl", "anew"])).toBe("kindred songs cache");
});
