import { addChangeCommands } from "../generations/change.ts";
import { addCountCommand } from "../generations/count.ts";
import { addDiffCommand } from "../generations/diff.ts";
import { addEndCommands } from "../generations/end.ts";
import { addExportCommand } from "../generations/export.ts";
import { addLineageCommand } from "../generations/lineage.ts";
import { addListCommand } from "../generations/list.ts";
import { addProgressCommand } from "../generations/progress.ts";
import { addRecordCommand } from "../generations/record.ts";
import { addReplayCommand } from "../generations/replay.ts";
import { addShowCommand } from "../generations/show.ts";
import { addStartCommand } from "../generations/start.ts";
import { addUsesCommand } from "../generations/uses.ts";
import { addRetentionCommands } from "../generations/retention/retention.ts";
import { addVerifyCommand } from "../generations/verify.ts";
import { addWatchCommand } from "../generations/watch.ts";
import { addReportCommand } from "../generations/report.ts";
import { addSearchCommand } from "../generations/search.ts";
import { namingOptions } from "../generations/naming-options.ts";
import type { AddCommand, Run } from "./command.ts";

/** One file each, in the order in which help shows them. */
const COMMANDS: readonly AddCommand[] = [
  addRecordCommand,
  addStartCommand,
  addProgressCommand,
  addEndCommands,
  addWatchCommand,
  addShowCommand,
  addChangeCommands,
  addListCommand,
  addCountCommand,
  addReportCommand,
  addExportCommand,
  addSearchCommand,
  addLineageCommand,
  addUsesCommand,
  addReplayCommand,
  addDiffCommand,
  addVerifyCommand,
  addRetentionCommands,
];

export const addGenerationCommands: AddCommand = (program, run) => {
  const generations = program.command("generations").description("what was generated, and from what");
  const runNaming: Run = (command, work) =>
    run(command, (context) => namingOptions(command, () => work(context)));
  for (const add of COMMANDS) add(generations, runNaming);
};
