import {
  AdviseIndexesResponseSchema,
  CollectionSchema,
  EnsureIndexResponseSchema,
  ListIndexesResponseSchema,
  PlanIndexResponseSchema,
  type Collection,
} from "@kindred/contracts/vector-store/v1";
import { Option, type Command } from "commander";
import { openClients } from "../clients.ts";
import {
  addIndexPolicyOptions,
  INDEX_KINDS,
  updateRequest,
  type PolicyOptions,
} from "../collections/collection-options.ts";
import { renderPolicy } from "../collections/render-collections.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import {
  addPlanOptions,
  addSpecOptions,
  buildRequest,
  planRequest,
  SPEC_HELP,
  type BuildOptions,
  type PlanOptions,
} from "../indexes/index-options.ts";
import { renderAdvice, renderIndexes } from "../indexes/render-indexes.ts";
import { renderPlan } from "../indexes/render-plan.ts";
import { addWaitOptions, awaitOperation, type WaitOptions } from "../operations/follow-operation.ts";
import { namingOthers } from "../operations/naming-others.ts";
import { toPlain } from "../plain.ts";
import { confirmHere } from "../terminal/confirm.ts";
import { formatMs } from "../terminal/format.ts";
import { createSteps, silentSteps } from "../terminal/steps.ts";
import type { AddCommand } from "./command.ts";
import { integerOption, numberOption } from "./parse.ts";
import { IMAGES } from "./search.ts";

/** Building takes as long as it takes; --timeout is for calls that answer at once. */
const BUILD_TIMEOUT_MS = 24 * 3_600_000;
/** An index of a sample is built first. */
const CALIBRATE_TIMEOUT_MS = 120_000;

interface EnsureOptions {
  m: number;
  efConstruction: number;
}

const LIST_HELP = `
Effort is how hard a search looks in the index so that it meets the recall target (hnsw.ef_search, ivfflat.probes and their kind);
recall is the share of the true 10 nearest that was found at it. Both are there once the index is tuned: kindred recall tune.`;

const PLAN_HELP = `${SPEC_HELP}

Examples:
  kindred index plan songs
  kindred index plan songs --rows 1000000 --recall-target 0.99
  kindred index plan songs --kind hnsw --quantization halfvec --calibrate`;

const CREATE_HELP = `${SPEC_HELP}

Searches are served meanwhile as before. The new index takes the place of the others of its metric once it is checked; one that misses
the recall target while another serves is removed again. Ctrl+C ends the watching only: kindred operations cancel ends the build.

Examples:
  kindred index create songs
  kindred index create songs --kind hnsw --m 32 --ef-construction 400
  kindred index create songs --kind ivfflat --lists 3525 --name embeddings_ivfflat_idx
  kindred index create songs --quantization halfvec --no-wait`;

const POLICY_HELP = `
Without options it shows the policy. The store builds an index of the kind that suits the collection by itself where maintenance is
automatic; with manual it only advises (kindred index advise).

Examples:
  kindred index policy songs
  kindred index policy songs --maintenance automatic --min-rows 50000
  kindred index policy songs --kind ivfflat --index-name embeddings_ivfflat_idx
  kindred index policy songs --kind hnsw --quantization halfvec --recall-target 0.98`;

export const addIndexCommands: AddCommand = (program, run) => {
  const index = program.command("index").description("vector indexes: plan, build, look after them");
  index
    .command("list [collection]")
    .description("the vector indexes of a collection (default: images) with their state and size")
    .option("--all", "those of all collections")
    .addHelpText("after", LIST_HELP)
    .action((collection: string | undefined, options: { all?: boolean }, command: Command) =>
      run(command, (context) => list(context, collection, options.all ?? false)),
    );
  addPlanOptions(
    index
      .command("plan <collection>")
      .description("which index would be built, how large, how long, and why; builds nothing"),
  )
    .addHelpText("after", PLAN_HELP)
    .action((collection: string, options: PlanOptions, command: Command) =>
      run(command, (context) => plan(context, collection, options)),
    );
  addWaitOptions(
    addSpecOptions(
      index.command("create <collection>").description("build an index, and wait until searches use it"),
    )
      .option(
        "--name <name>",
        "what it is called in PostgreSQL (default: as the policy says, or by the store's rule)",
      )
      .option("--keep-on-miss", "keep it even where it misses the recall target")
      .option("--keep-others", "leave other indexes of this metric where they are"),
  )
    .addHelpText("after", CREATE_HELP)
    .action((collection: string, options: BuildOptions, command: Command) =>
      run(command, (context) => createIndex(context, collection, options)),
    );
  addWaitOptions(
    index
      .command("rebuild <collection>")
      .description("build an index again as it is: after many changes, or where it is damaged")
      .option("--index <name>", "which one (default: the one that searches use)"),
  ).action((collection: string, options: WaitOptions & { index?: string }, command: Command) =>
    run(command, (context) => rebuild(context, collection, options)),
  );
  addWaitOptions(
    index
      .command("drop <collection> <name>")
      .description("drop an index; searches that scan it come to their end first")
      .option("-y, --yes", "without asking"),
  ).action((collection: string, name: string, options: WaitOptions & { yes?: boolean }, command: Command) =>
    run(command, (context) => drop(context, collection, name, options)),
  );
  index
    .command("advise [collection]")
    .description("what should be done about the indexes, the most urgent first, with the command for it")
    .action((collection: string | undefined, _options, command: Command) =>
      run(command, (context) => advise(context, collection ?? "")),
    );
  addIndexPolicyOptions(
    index
      .command("policy <collection>")
      .description("show or change which index a collection should have, and who looks after it")
      .addOption(
        new Option("--kind <kind>", "kind of index; none: searches compare every row").choices(
          Object.keys(INDEX_KINDS),
        ),
      )
      .option("--recall-target <share>", "recall@10 that index scans should reach", numberOption(0, 1)),
  )
    .addHelpText("after", POLICY_HELP)
    .action((collection: string, options: PolicyCommandOptions, command: Command) =>
      run(command, (context) => policy(context, collection, options)),
    );
  index
    .command("ensure")
    .description("build the vector index of images if there is none, and wait until searches use it")
    .option("--m <count>", "links a row, 2 to 100 (0: the store chooses)", integerOption(0, 100), 0)
    .option(
      "--ef-construction <count>",
      "candidates while building, at least 2 m (0: the store chooses)",
      integerOption(0, 1_000),
      0,
    )
    .action((options: EnsureOptions, command: Command) =>
      run(command, (context) => ensure(context, options)),
    );
};

async function ensure(context: Context, options: EnsureOptions): Promise<void> {
  const { terminal } = context;
  const { indexes } = openClients(context);
  const steps = context.json ? silentSteps : createSteps(terminal);
  const { reply } = await steps.run("index", async (step) => {
    step.progress("building; this takes seconds for thousands of rows, minutes for millions");
    const answer = await indexes.ensureIndex(options, { timeoutMs: BUILD_TIMEOUT_MS });
    const summary = answer.built ? `built in ${formatMs(Number(answer.buildTimeMs))}` : "was there already";
    return { reply: answer, summary };
  });
  if (context.json) terminal.json(toPlain(EnsureIndexResponseSchema, reply));
  else if (reply.index) terminal.result(renderIndexes(terminal, [reply.index]));
}

async function list(context: Context, collection: string | undefined, all: boolean): Promise<void> {
  const { terminal } = context;
  if (all && collection !== undefined)
    throw new Failure("Name a collection, or all of them with --all.", { exitCode: EXIT.usage });
  const reply = await openClients(context).indexes.listIndexes({
    collection: collection ?? "",
    allCollections: all,
  });
  if (context.json) terminal.json(toPlain(ListIndexesResponseSchema, reply));
  else if (reply.indexes.length > 0) terminal.result(renderIndexes(terminal, reply.indexes, all));
  else {
    const way = all ? "kindred index advise" : `kindred index plan ${collection ?? IMAGES}`;
    terminal.result(` no vector index: searches compare every row (${way})`);
  }
}

async function plan(context: Context, collection: string, options: PlanOptions): Promise<void> {
  const { terminal } = context;
  const reply = await openClients(context).indexes.planIndex(
    planRequest(collection, options),
    options.calibrate ? { timeoutMs: Math.max(context.timeoutMs, CALIBRATE_TIMEOUT_MS) } : {},
  );
  if (context.json) terminal.json(toPlain(PlanIndexResponseSchema, reply));
  else terminal.result(renderPlan(terminal, collection, reply, options.rows));
}

async function createIndex(context: Context, collection: string, options: BuildOptions): Promise<void> {
  const { operation } = await namingOthers(collection, () =>
    openClients(context).indexes.startIndexBuild(buildRequest(collection, options)),
  );
  if (await awaitOperation(context, operation, options)) await showIndexes(context, collection);
}

async function rebuild(
  context: Context,
  collection: string,
  options: WaitOptions & { index?: string },
): Promise<void> {
  const { index: indexName = "", requestId = "" } = options;
  const { operation } = await namingOthers(collection, () =>
    openClients(context).indexes.startIndexRebuild({ collection, indexName, requestId }),
  );
  if (await awaitOperation(context, operation, options)) await showIndexes(context, collection);
}

async function drop(
  context: Context,
  collection: string,
  indexName: string,
  options: WaitOptions & { yes?: boolean },
): Promise<void> {
  const { requestId = "", yes = false } = options;
  await confirmHere(`Drop the index ${indexName} of ${collection}`, context, yes);
  const { operation } = await namingOthers(collection, () =>
    openClients(context).indexes.startIndexDrop({ collection, indexName, requestId }),
  );
  const dropped = await awaitOperation(context, operation, options);
  if (dropped && !context.json) context.terminal.result(` dropped ${indexName}`);
}

/** What searches have now; a program has the operation. */
async function showIndexes(context: Context, collection: string): Promise<void> {
  if (!context.json) await list(context, collection, false);
}

async function advise(context: Context, collection: string): Promise<void> {
  const { terminal } = context;
  const reply = await openClients(context).indexes.adviseIndexes({ collection });
  if (context.json) terminal.json(toPlain(AdviseIndexesResponseSchema, reply));
  else if (reply.advice.length === 0) terminal.result(" nothing to do: every index is as it should be");
  else terminal.result(renderAdvice(terminal, reply.advice));
}

interface PolicyCommandOptions extends Omit<PolicyOptions, "index" | "recall" | "metric" | "space"> {
  kind?: keyof typeof INDEX_KINDS;
  recallTarget?: number;
}

async function policy(context: Context, name: string, options: PolicyCommandOptions): Promise<void> {
  const { terminal } = context;
  const { kind, recallTarget, ...others } = options;
  const changes: PolicyOptions = {
    ...others,
    ...(kind && { index: kind }),
    ...(recallTarget !== undefined && { recall: recallTarget }),
  };
  const { collections } = openClients(context);
  const reply: { collection?: Collection | undefined } =
    Object.keys(changes).length === 0
      ? await collections.getCollection({ name })
      : await collections.updateCollection(updateRequest(name, changes));
  const { collection } = reply;
  if (!collection) return;
  if (context.json) terminal.json(toPlain(CollectionSchema, collection));
  else terminal.result(renderPolicy(terminal, collection));
}
