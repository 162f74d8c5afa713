import {
  OutputState,
  type GenerationOutput,
  type OutputFindingSchema,
} from "@kindred/contracts/generation-tracking/v1";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Clients } from "../clients.ts";
import { lookAtOutput, type Finding } from "./look-at-output.ts";

/** Outputs that are asked for at a time. */
const PAGE = 1_000;
/** Findings are told when there are so many, or when the first of them is so old. */
const REPORT_FINDINGS = 500;
const REPORT_AFTER_MS = 5_000;

export interface VerifyOptions {
  /** Where the files are; an absolute path. */
  root: string;
  /** Only outputs of these generations; all of them when there are none. */
  ids: readonly bigint[];
  /** Only outputs in this state. */
  state: OutputState;
  /** Files that are read at a time. */
  parallel: number;
  /** Whether the service is told what was found. */
  report: boolean;
}

/** How many outputs are in which state. */
export type VerifyCounts = Record<Finding["state"], number> & {
  looked: number;
  /** Bytes that were read. */
  bytes: number;
  /** Outputs of which the service keeps what was found. */
  reported: number;
};

type FindingInit = MessageInitShape<typeof OutputFindingSchema>;

const PROTO_STATE = {
  kept: OutputState.KEPT,
  missing: OutputState.MISSING,
  changed: OutputState.CHANGED,
} as const;

/**
 * Looks at output files, several at a time, and tells the service what it found, some hundred at a time: also of what was looked at before
 * the signal is aborted.
 * @throws what aborting the signal, or a call to the service, throws
 */
export async function verifyOutputs(
  options: VerifyOptions,
  deps: {
    lineage: Pick<Clients["lineage"], "listOutputs" | "reportOutputs">;
    signal: AbortSignal;
    onFound: (output: GenerationOutput, finding: Finding, counts: VerifyCounts) => void;
  },
): Promise<VerifyCounts> {
  const { root, parallel, report } = options;
  const { lineage, signal, onFound } = deps;
  const counts: VerifyCounts = {
    kept: 0,
    missing: 0,
    changed: 0,
    unreadable: 0,
    elsewhere: 0,
    looked: 0,
    bytes: 0,
    reported: 0,
  };
  let untold: FindingInit[] = [];
  let since = performance.now();
  const tell = async (): Promise<void> => {
    const findings = untold;
    untold = [];
    since = performance.now();
    if (findings.length === 0) return;
    counts.reported += Number((await lineage.reportOutputs({ findings })).updated);
  };
  const look = async (each: GenerationOutput): Promise<void> => {
    if (!each.output) return;
    const finding = await lookAtOutput(root, each.output, signal);
    counts[finding.state]++;
    counts.bytes += finding.bytes;
    if (finding.state !== "elsewhere") counts.looked++;
    onFound(each, finding, counts);
    if (!report || finding.state === "elsewhere" || finding.state === "unreadable") return;
    if (untold.length === 0) since = performance.now();
    untold.push(findingOf(each, finding));
    if (untold.length >= REPORT_FINDINGS || performance.now() - since >= REPORT_AFTER_MS) await tell();
  };
  try {
    await eachInParallel(outputsOf(lineage, options, signal), parallel, look);
  } finally {
    await tell();
  }
  return counts;
}

function findingOf(
  { generationId, position }: GenerationOutput,
  finding: Extract<Finding, { state: keyof typeof PROTO_STATE }>,
): FindingInit {
  const known = finding.state === "kept" ? { sizeBytes: finding.sizeBytes, sha256: finding.sha256 } : {};
  return { generationId, position, state: PROTO_STATE[finding.state], ...known };
}

/** One page ahead of what is looked at would be more calls at a time than a listing is worth: pages are asked for one by one. */
async function* outputsOf(
  lineage: Pick<Clients["lineage"], "listOutputs">,
  { ids, state }: Pick<VerifyOptions, "ids" | "state">,
  signal: AbortSignal,
): AsyncGenerator<GenerationOutput> {
  for (const generationId of ids.length > 0 ? ids : [undefined]) {
    let pageToken = "";
    do {
      const page = await lineage.listOutputs(
        { pageSize: PAGE, pageToken, state, ...(generationId !== undefined && { generationId }) },
        { signal },
      );
      yield* page.outputs;
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
  }
}

/** Takes one after the other, `parallel` at a time. The first failure ends all of them, after those that are under way. */
async function eachInParallel<T>(
  items: AsyncGenerator<T>,
  parallel: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const worker = async (): Promise<void> => {
    try {
      for (let next = await items.next(); !next.done; next = await items.next()) await work(next.value);
    } catch (error) {
      // Nobody gets any more.
      await items.return(undefined);
      throw error;
    }
  };
  const outcomes = await Promise.allSettled(Array.from({ length: parallel }, worker));
  const failure = outcomes.find((outcome) => outcome.status === "rejected");
  if (failure) throw failure.reason;
}
