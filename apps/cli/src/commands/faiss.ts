import { openFaissDataset, type DatasetFolder } from "@kindred/faiss";
import { isKindredError } from "@kindred/errors";
import type { Command } from "commander";
import type { Context } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { asDataFailure, datasetsIn } from "../faiss/datasets.ts";
import { datasetReport, renderDataset } from "../faiss/report.ts";
import { runMigrate, type MigrateOptions } from "../faiss/run-migrate.ts";
import { surveyDataset } from "../faiss/survey.ts";
import { interruption } from "../interruption.ts";
import { formatBytes, formatCount } from "../terminal/format.ts";
import { renderTable } from "../terminal/table.ts";
import type { AddCommand } from "./command.ts";
import { integerOption } from "./parse.ts";

const GROUP_HELP = `
A data set is a folder with faiss_index.bin (faiss.write_index) and metadata.pkl (pickle.dump): a list of dicts, a dict of columns, or a dict
whose keys are the vectors' ids. Neither FAISS nor Python is needed, and nothing that a pickle asks for is ever executed.`;

const MIGRATE_HELP = `
A dry run unless --apply: says what would be written, what is skipped and why, and whether the vectors fit. Each record becomes an image, known
by its image_path, each vector an embedding of it, known by its bytes: what is there already is not added again. A data set whose files disagree,
are damaged, or would run something is refused as a whole. After an error, or Ctrl+C, the same command goes on where it was.
Vectors live in the space that --space names, else in the served model's, if a few embedded descriptions agree with it. At the end the same queries are asked
exactly of FAISS's vectors and of Kindred.

Examples:
  kindred faiss migrate --from embeddings
  kindred faiss migrate --from embeddings --dataset coco_dataset --apply
  kindred faiss migrate --from embeddings --apply --batch-size 500 --json`;

interface FromOption {
  from: string;
}

export const addFaissCommands: AddCommand = (program, run) => {
  const faiss = program
    .command("faiss")
    .description("data sets that FAISS has written: what is in them, and how to take them over")
    .addHelpText("after", GROUP_HELP);
  withFrom(faiss.command("list").description("the data sets of a folder")).action(
    (options: FromOption, command: Command) => run(command, (context) => list(context, options)),
  );
  withFrom(
    faiss.command("inspect <dataset>").description("one data set: index, metadata, what would be skipped"),
  ).action((name: string, options: FromOption, command: Command) =>
    run(command, (context) => inspect(context, name, options)),
  );
  withFrom(faiss.command("migrate").description("take data sets over as images with their embeddings"))
    .option("--dataset <name>", "only this one (default: all of the folder)")
    .option("--apply", "write; a dry run without it")
    .option("--batch-size <vectors>", "vectors that are stored together", integerOption(1, 1_000), 100)
    .option("--space <id>", "embedding space of the vectors (default: the served model's)")
    .option("--embedding-type <type>", "what was embedded, where records do not say it", "text")
    .option(
      "--queries <count>",
      "queries to compare neighbours with; 0 for none",
      integerOption(0, 10_000),
      50,
    )
    .option("-k <count>", "neighbours of each query", integerOption(1, 100), 10)
    .option(
      "--patience <seconds>",
      "give up when nothing could be stored for so long",
      integerOption(0, 86_400),
      120,
    )
    .addHelpText("after", MIGRATE_HELP)
    .action((options: MigrateOptions, command: Command) =>
      run(command, (context) => runMigrate(context, options)),
    );
};

function withFrom(command: Command): Command {
  return command.option("--from <folder>", "folder that has the data sets, or is one", ".");
}

/** For programs. */
interface ListedDataset {
  dataset: string;
  folder: string;
  index_bytes: number;
  metadata_bytes: number;
  /** Empty where it cannot be read. */
  kind: string;
  vectors: number;
  dimensions: number;
  metadata: string;
  /** Why it cannot be migrated; empty where it can. */
  problem: string;
}

async function list(context: Context, { from }: FromOption): Promise<void> {
  const { terminal } = context;
  const listed: ListedDataset[] = [];
  for (const folder of await datasetsIn(from)) listed.push(await described(folder));
  if (context.json) {
    terminal.json({ datasets: listed });
    return;
  }
  terminal.result(
    renderTable(
      terminal,
      [
        { title: "data set" },
        { title: "index" },
        { title: "vectors", align: "right" },
        { title: "dimensions", align: "right" },
        { title: "metadata" },
        { title: "size", align: "right" },
        { title: "problem", shrinks: true },
      ],
      listed.map((one) => [
        one.dataset,
        one.kind,
        one.kind === "" ? "" : formatCount(one.vectors),
        one.kind === "" ? "" : String(one.dimensions),
        one.metadata,
        formatBytes(one.index_bytes + one.metadata_bytes),
        one.problem,
      ]),
    ),
  );
}

async function described(folder: DatasetFolder): Promise<ListedDataset> {
  const listed: ListedDataset = {
    dataset: folder.name,
    folder: folder.path,
    index_bytes: folder.indexBytes,
    metadata_bytes: folder.metadataBytes,
    kind: "",
    vectors: 0,
    dimensions: 0,
    metadata: "",
    problem: "",
  };
  try {
    await using dataset = await openFaissDataset(folder.path);
    const { kind, count, dimensions } = dataset.index;
    return { ...listed, kind, vectors: count, dimensions, metadata: dataset.metadata.shape };
  } catch (error) {
    if (!isKindredError(error)) throw error;
    // The data set stands in the line already.
    const problem = error.message.replace(`${folder.path}/`, "").replace(`${folder.path}: `, "");
    return { ...listed, problem };
  }
}

async function inspect(context: Context, name: string, { from }: FromOption): Promise<ExitCode> {
  const [folder] = await datasetsIn(from, name);
  if (!folder) return EXIT.data;
  using interrupted = interruption(context.env);
  await using dataset = await asDataFailure(() => openFaissDataset(folder.path));
  const survey = await asDataFailure(() => surveyDataset(dataset, { spread: 0, signal: interrupted.signal }));
  const report = datasetReport(dataset, survey);
  if (context.json) context.terminal.json(report);
  else context.terminal.result(renderDataset(context.terminal, report));
  return EXIT.ok;
}
