import { ImageUseSchema, type ImageUse } from "@kindred/contracts/generation-tracking/v1";
import type { Command } from "commander";
import { openClients } from "../clients.ts";
import type { AddCommand } from "../commands/command.ts";
import { integerOption } from "../commands/parse.ts";
import type { Context } from "../context.ts";
import { toPlain } from "../plain.ts";
import { formatCount, plural } from "../terminal/format.ts";
import { renderTable } from "../terminal/table.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { timeText } from "./render-generation.ts";

const PAGE = 1_000;

export const addUsesCommand: AddCommand = (generations, run) => {
  generations
    .command("uses")
    .argument("<image>", "its id in the vector store, or its path")
    .description("the generations that retrieved an image, newest first")
    .option("-n, --limit <count>", "how many", integerOption(1, 100_000), 20)
    .option("--path", "take <image> for a path, even if it is a number")
    .addHelpText(
      "after",
      `
Examples:
  kindred generations uses 139
  kindred generations uses gallery/kite.png -n 5`,
    )
    .action((image: string, options: { limit: number; path?: true }, command: Command) =>
      run(command, (context) => uses(context, image, options)),
    );
};

async function uses(
  context: Context,
  image: string,
  { limit, path }: { limit: number; path?: true },
): Promise<void> {
  const { terminal } = context;
  const { lineage } = openClients(context);
  const key =
    /^\d{1,18}$/.test(image) && !path
      ? { case: "imageId" as const, value: BigInt(image) }
      : { case: "imagePath" as const, value: image };
  const found: ImageUse[] = [];
  let pageToken = "";
  let total = 0n;
  do {
    const pageSize = Math.min(limit - found.length, PAGE);
    const page = await lineage.listImageUses({ image: key, pageSize, pageToken });
    found.push(...page.uses);
    ({ total, nextPageToken: pageToken } = page);
  } while (pageToken !== "" && found.length < limit);
  if (context.json) {
    terminal.json({ total: Number(total), uses: found.map((use) => toPlain(ImageUseSchema, use)) });
  } else if (found.length === 0) terminal.result(" no generation retrieved this image");
  else {
    const more = total > found.length ? `, ${formatCount(found.length)} of them here` : "";
    terminal.result(
      `${renderUses(terminal, found)}\n ${terminal.colors.dim(`${plural(total, "generation")}${more}`)}`,
    );
  }
}

function renderUses(terminal: Terminal, found: readonly ImageUse[]): string {
  return renderTable(
    terminal,
    [
      { title: "id", align: "right" },
      { title: "when" },
      { title: "rank", align: "right" },
      { title: "similarity", align: "right" },
      { title: "prompt", shrinks: true },
    ],
    found.map(({ generation, example }) => [
      String(generation?.id ?? ""),
      timeText(generation?.createdAt),
      String(example?.rank ?? ""),
      example?.similarity.toFixed(4) ?? "",
      generation?.prompt ?? "",
    ]),
  );
}
