import { ImageSchema, type Image } from "@kindred/contracts/vector-store/v1";
import { openClients } from "../clients.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { toPlain } from "../plain.ts";
import { formatBytes } from "../terminal/format.ts";
import { renderPairs } from "../terminal/table.ts";
import type { AddCommand } from "./command.ts";
import { repeatable } from "./parse.ts";

interface AddOptions {
  caption: string;
  tag?: readonly string[];
  path?: string;
  dataset?: string;
  copy: boolean;
}

const HELP = `
With a Kindred that runs on this machine (kindred up), the file is copied to where the dashboard finds it, and image_path names
the copy. Otherwise, and with --no-copy, image_path is the file's absolute path.

Examples:
  kindred add cat.jpg --caption "My cat on the sofa." --tag cat --tag home
  kindred add scan.png --caption "A receipt." --path receipts/2026/07.png`;

export const addAddCommand: AddCommand = (program, run) => {
  program
    .command("add <file>")
    .description("add a picture with its caption, so that it can be found")
    .requiredOption("-c, --caption <text>", "what the picture shows")
    .option("-t, --tag <tag>", "a label; may be given several times", repeatable)
    .option("--path <image_path>", "the picture's key in the catalogue, instead of the default below")
    .option("--dataset <name>", "the data set that the picture belongs to")
    .option("--no-copy", "leave the file where it is")
    .addHelpText("after", HELP)
    .action((file: string, options: AddOptions, command) =>
      run(command, (context) => add(context, file, options)),
    );
};

async function add(context: Context, file: string, options: AddOptions): Promise<void> {
  if (options.caption.trim() === "")
    throw new Failure("--caption is empty: say what the picture shows.", { exitCode: EXIT.usage });
  // sharp loads a native library: only this command needs it.
  const { readPicture, copyToMedia } = await import("../picture-file.ts");
  const picture = await readPicture(file);
  const mediaRoot = options.path === undefined && options.copy ? context.local?.mediaRoot : undefined;
  const copy = mediaRoot === undefined ? undefined : await copyToMedia(picture, mediaRoot);
  const imagePath = options.path ?? copy?.imagePath ?? picture.file;
  let image: Image | undefined;
  try {
    const reply = await openClients(context).images.addImageWithEmbeddings({
      image: {
        imagePath,
        description: options.caption,
        tags: [...(options.tag ?? [])],
        width: picture.width,
        height: picture.height,
        fileSizeBytes: BigInt(picture.bytes),
        format: picture.format,
        sourceDataset: options.dataset ?? "",
      },
    });
    image = reply.image;
  } catch (error) {
    await copy?.undo();
    throw error;
  }
  if (image) show(context, image);
}

function show({ terminal, json }: Context, image: Image): void {
  if (json) {
    terminal.json(toPlain(ImageSchema, image));
    return;
  }
  terminal.result(
    renderPairs(terminal, [
      ["id", String(image.id)],
      ["image_path", image.imagePath],
      ["caption", image.description],
      ...(image.tags.length > 0 ? [["tags", image.tags.join(", ")] as const] : []),
      [
        "picture",
        `${image.width} x ${image.height} ${image.format}, ${formatBytes(image.fileSizeBytes ?? 0n)}`,
      ],
      ["embeddings", String(image.embeddingCount)],
    ]),
  );
}
