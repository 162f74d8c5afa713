import type { Command } from "commander";
import type { Context } from "../context.ts";
import type { ExitCode } from "../exit-codes.ts";

/** Runs a command's work with what its options lead to; without an exit code it is 0. */
export type Run = (command: Command, work: (context: Context) => Promise<ExitCode | void>) => Promise<void>;

/** Adds one command, or a group of them, to the program. */
export type AddCommand = (program: Command, run: Run) => void;
