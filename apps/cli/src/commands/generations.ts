import { addListCommand } from "../generations/list.ts";
import { addRecordCommand } from "../generations/record.ts";
import type { AddCommand } from "./command.ts";

/** One file each, in the order in which help shows them. */
const COMMANDS: readonly AddCommand[] = [addRecordCommand, addListCommand];

export const addGenerationCommands: AddCommand = (program, run) => {
  const generations = program.command("generations").description("what was generated, and from what");
  for (const add of COMMANDS) add(generations, run);
};
