import type { CallLimits } from "../operations/operation.ts";
import type { Prompt } from "../prompts/prompt-collection.ts";

/** Generations of the outbox that are one replica's to tell of, for the time of its lease. */
export interface Claim {
  /** Tells this claim apart from all others. */
  owner: string;
  generationIds: readonly bigint[];
}

/** Why the vector store could not be told of a generation. */
export interface Setback {
  generationId: bigint;
  error: string;
}

export interface SetbackPolicy {
  /** Until it is due again after its first failure. */
  firstMs: number;
  /** Longest time. */
  mostMs: number;
  most: number | undefined;
}

/** What the outbox holds; each number is counted up to 100,000. */
export interface OutboxState {
  /** Generations that the vector store has to be told of, those that were set aside not included. */
  waiting: number;
  /** Of those, how long the oldest waits, in seconds; 0 when there is none. */
  oldestSeconds: number;
  /** Generations that were given up, until they change or somebody asks for them again. */
  setAside: number;
}

/**
 * The generations that the vector store has to be told of. A claim ends by what is done with each of its generations, or with its lease. Whatever is
 * said of a generation that another claim has by then is not heard. Errors are KindredErrors.
 */
export interface Outbox {
  /** At most so many that are due, the newest first. Undefined when there is none. */
  claim(limit: number, leaseMs: number): Promise<Claim | undefined>;
  /**
   * What there is to say of generations: their prompts, and that they are gone. Those whose prompts do not fit into so many bytes are left
   * out, the first one excepted.
   */
  read(generationIds: readonly bigint[], maxBytes: number): Promise<{ prompts: Prompt[]; gone: bigint[] }>;
  /** The vector store knows of them. Those that have changed since they were claimed are due again at once. */
  done(claim: Claim, generationIds: readonly bigint[]): Promise<void>;
  /** They are due again after so long, through no fault of theirs. */
  putOff(claim: Claim, generationIds: readonly bigint[], delayMs: number): Promise<void>;
  /**
   * They failed. Each is due again after a time that doubles with each failure, or is set aside.
   * @param how.most failures after which one is set aside; undefined: none is
   * @returns how many were set aside
   */
  setBack(claim: Claim, setbacks: readonly Setback[], how: SetbackPolicy): Promise<number>;
  /** Every generation that there is, those that were set aside too. */
  enqueueAll(signal: AbortSignal): Promise<void>;
  state(limits?: CallLimits): Promise<OutboxState>;
  /** Generations that are there and of whose prompts the vector store does not know yet, those that were set aside included; counted up to 10,000. */
  pendingPrompts(limits: CallLimits): Promise<bigint>;
}
