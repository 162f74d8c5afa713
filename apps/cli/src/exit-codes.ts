/** What the process's exit code means; those above 2 are of sysexits.h. */
export const EXIT = {
  ok: 0,
  /** It did not work, and no code below says more. */
  failure: 1,
  /** The command line, or a value in it, is wrong. */
  usage: 2,
  /** A file is not what it should be. */
  data: 65,
  /** Something that has to be reached cannot be: Kindred itself, a service, the network. */
  unavailable: 69,
  /** Nothing can be written: disk full, folder closed. */
  cannotWrite: 73,
  /** The configuration is at fault. */
  config: 78,
  /** Ctrl+C before the work was done. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
