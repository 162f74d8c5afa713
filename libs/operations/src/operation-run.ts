import { isKindredError, KindredError, type ErrorKind } from "@kindred/errors";
import { operationTitle } from "./describe-operation.ts";
import type { Claim, OperationClaims, Outcome, Said, Standing } from "./operation-claims.ts";
import type {
  JsonObject,
  Operation,
  OperationContext,
  OperationHandler,
  OperationTerms,
} from "./operation.ts";
import { pause } from "./pause.ts";
import { ProgressLog } from "./progress-log.ts";

export interface RunnerLog {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** In milliseconds. */
export interface RunnerTimes {
  /** How long a claim holds without being renewed, by the database's clock. */
  lease: number;
  renewEvery: number;
  /** Progress is written down at most so often. */
  sayEvery: number;
  /** How long to wait after the first trouble in a row; twice as long after each further one. */
  backoff: number;
}

/** In a row, without a checkpoint in between. */
export const MAX_SETBACKS = 5;
/** From here on even the removal of what was made is not tried again: it may be what kills the process. */
const GIVE_UP_AT = 2 * MAX_SETBACKS;
const LONGEST_BACKOFF_MS = 10_000;
/** A lease counts as lost so much sooner here than in the database, by its share: whoever follows shall not meet us. */
const LEASE_USED = 0.9;

/** Trouble of the database or of a peer that passes. */
const PASSING: ReadonlySet<ErrorKind> = new Set(["unavailable", "aborted", "deadline-exceeded"]);

export interface RunDeps<Kind extends string> {
  terms: OperationTerms<Kind>;
  claims: OperationClaims<Kind>;
  handler: OperationHandler<Kind>;
  log: RunnerLog;
  times: RunnerTimes;
  /** Milliseconds, of a clock that never goes back. */
  now: () => number;
}

/** Why a run ends before its operation does. The operation is somebody else's then, or will be. */
type Leaving = "lost" | "closing";

/**
 * One claim of an operation, from taking it until it is finished, handed back or lost. The lease is kept meanwhile; whatever the handler
 * says is written down.
 */
export class OperationRun<Kind extends string> {
  readonly #deps: RunDeps<Kind>;
  readonly #claim: Claim<Kind>;
  readonly #said: ProgressLog;
  /** Aborted when the lease is lost or the process shuts down: nothing goes on then. */
  readonly #leaving = new AbortController();
  /** Aborted when the operation was asked to end. */
  readonly #cancelled = new AbortController();
  /** Ends what goes on beside the handler. */
  readonly #over = new AbortController();
  #why: Leaving | undefined;
  /** Resolved when the last of the writes so far is done. */
  #turn: Promise<void> = Promise.resolve();
  #operation: Operation<Kind>;
  #setbacks: number;
  #subjectExists = true;
  #heldUntil: number;
  #renewNow = Promise.withResolvers<void>();
  #sayNow = Promise.withResolvers<void>();

  /** @param claimedAt when the claim was asked for, by `now` */
  constructor(deps: RunDeps<Kind>, claim: Claim<Kind>, claimedAt: number) {
    this.#deps = deps;
    this.#claim = claim;
    this.#operation = claim.operation;
    this.#setbacks = claim.setbacks;
    this.#said = new ProgressLog(deps.now, claim.operation.notes);
    this.#heldUntil = claimedAt + deps.times.lease * LEASE_USED;
    if (claim.cancelRequested) this.#cancel();
  }

  get id(): bigint {
    return this.#operation.id;
  }

  /** Looks at once whether it is still to go on. */
  look(): void {
    this.#renewNow.resolve();
  }

  /** Tells the handler that the process shuts down. */
  close(): void {
    this.#leave("closing", new KindredError("unavailable", "the service is shutting down"));
  }

  /** The process ends, and the handler did not: its lease runs out by itself. */
  abandon(): void {
    this.#over.abort();
  }

  /** @returns the state that it ended in; undefined where somebody else goes on. Never rejects. */
  async run(): Promise<Outcome["state"] | undefined> {
    void this.#keepLease();
    if (!this.#deps.claims.renewalsWait) void this.#guardLease();
    void this.#keepSaying();
    let ended: Outcome["state"] | undefined;
    try {
      const outcome = await this.#outcome();
      if (outcome && (await this.#finish(outcome))) ended = outcome.state;
    } finally {
      this.#over.abort();
    }
    if (!ended) await this.#endEarly();
    return ended;
  }

  /** Undefined when it is not ours to end. */
  async #outcome(): Promise<Outcome | undefined> {
    while (!this.#cancelled.signal.aborted) {
      if (this.#setbacks >= MAX_SETBACKS) return await this.#tooManySetbacks();
      try {
        const signal = AbortSignal.any([this.#leaving.signal, this.#cancelled.signal]);
        return { state: "succeeded", result: await this.#deps.handler.run(this.#context(signal)) };
      } catch (error) {
        const outcome = await this.#judge(error);
        if (outcome !== "again") return outcome;
      }
    }
    return await this.#afterCleanUp({ state: "cancelled" });
  }

  /** What becomes of an operation whose handler threw this. */
  async #judge(error: unknown): Promise<Outcome | "again" | undefined> {
    const { log } = this.#deps;
    if (this.#why) return undefined;
    if (this.#cancelled.signal.aborted) return "again";
    // It may have failed because it was asked to end, or what it is about is gone, before that was told here.
    const passing = isPassing(error);
    const standing = await this.#written<(Standing & { setbacks?: number }) | undefined>((said) =>
      passing ? this.#deps.claims.setBack(this.#claim, said) : this.#deps.claims.say(this.#claim, said),
    );
    if (this.#why || !this.#learn(standing)) return undefined;
    if (this.#cancelled.signal.aborted) return "again";
    if (!this.#subjectExists) {
      this.#said.note(`its ${this.#deps.terms.subject} was deleted`);
      return await this.#afterCleanUp({ state: "cancelled" });
    }
    if (standing?.setbacks !== undefined) {
      this.#setbacks = standing.setbacks;
      if (this.#setbacks < MAX_SETBACKS) {
        log.warn(
          { err: error, operation: String(this.id), setbacks: this.#setbacks },
          "an operation ran into trouble, and is tried again",
        );
        const wait = this.#deps.times.backoff * 2 ** (this.#setbacks - 1);
        await this.#rest(Math.min(LONGEST_BACKOFF_MS, wait));
        return this.#why ? undefined : "again";
      }
    }
    if (!isKindredError(error)) {
      log.error(
        { err: error, operation: String(this.id) },
        `${operationTitle(this.#deps.terms, this.#operation)} failed`,
      );
      return await this.#afterCleanUp({ state: "failed", kind: "internal", message: "internal error" });
    }
    return await this.#afterCleanUp({ state: "failed", kind: error.kind, message: error.message });
  }

  async #tooManySetbacks(): Promise<Outcome | undefined> {
    return await this.#afterCleanUp({
      state: "failed",
      kind: "aborted",
      message: `it was interrupted ${this.#setbacks} times in a row without getting further`,
    });
  }

  /** Removes what was made, which is part of the end: a process that is killed over it leaves that to the next one. */
  async #afterCleanUp(outcome: Outcome): Promise<Outcome | undefined> {
    const { handler, log, times } = this.#deps;
    for (let attempt = 1; this.#claim.setbacks < GIVE_UP_AT; attempt++) {
      try {
        await handler.cleanUp(this.#context(this.#leaving.signal));
        break;
      } catch (error) {
        if (this.#why) return undefined;
        const again = isPassing(error) && attempt < MAX_SETBACKS;
        log.warn(
          { err: error, operation: String(this.id), again },
          "what an operation has made could not be removed",
        );
        if (!again) break;
        await this.#rest(Math.min(LONGEST_BACKOFF_MS, times.backoff * 2 ** (attempt - 1)));
      }
    }
    return this.#why ? undefined : outcome;
  }

  #context(signal: AbortSignal): OperationContext<Kind> {
    return {
      operation: this.#operation,
      signal,
      report: (progress) => {
        this.#said.report(progress);
        this.#sayNow.resolve();
      },
      note: (text) => {
        this.#said.note(text);
        this.#sayNow.resolve();
      },
      checkpoint: (state) => this.#checkpoint(state),
    };
  }

  async #checkpoint(state: JsonObject): Promise<void> {
    if (this.#why === "lost") throw leaseLost();
    const standing = await this.#inTurn((said) => this.#deps.claims.checkpoint(this.#claim, state, said));
    if (!this.#learn(standing)) throw leaseLost();
    this.#operation = { ...this.#operation, checkpoint: state };
    this.#setbacks = 0;
  }

  /** @returns whether it was still ours to end */
  async #finish(outcome: Outcome): Promise<boolean> {
    const ours = await this.#written((said) => this.#deps.claims.finish(this.#claim, outcome, said));
    if (ours === false) this.#learn(undefined);
    return ours ?? false;
  }

  /** Writes until that works; undefined where the lease is lost over it, or the process shuts down. */
  async #written<T>(write: (said: Said) => Promise<T>): Promise<T | undefined> {
    for (;;) {
      try {
        return await this.#inTurn(write);
      } catch (error) {
        if (this.#why) return undefined;
        this.#deps.log.debug({ err: error, operation: String(this.id) }, "an operation cannot be written to");
        await this.#rest(this.#deps.times.sayEvery);
      }
    }
  }

  /** Writes what was said, with something else, one write after the other: an older word must not come after a newer one. */
  async #inTurn<T>(write: (said: Said) => Promise<T>): Promise<T> {
    const before = this.#turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#turn = promise;
    await before;
    const said = this.#said.take();
    try {
      return await write(said);
    } catch (error) {
      this.#said.unsaid(said);
      throw error;
    } finally {
      resolve();
    }
  }

  async #endEarly(): Promise<void> {
    const { claims, log } = this.#deps;
    const fields = { operation: String(this.id), kind: this.#operation.kind };
    if (this.#why === "lost") {
      log.warn(fields, "an operation was lost to whoever goes on with it");
      return;
    }
    try {
      await this.#inTurn((said) => claims.handBack(this.#claim, said));
      log.info(fields, "an operation was handed back, to be gone on with elsewhere");
    } catch (error) {
      log.warn(
        { ...fields, err: error },
        "an operation could not be handed back; it goes on when its lease is over",
      );
    }
  }

  async #keepLease(): Promise<void> {
    const { claims, times, now } = this.#deps;
    while (!this.#over.signal.aborted && this.#why !== "lost") {
      await this.#either(this.#renewNow.promise, times.renewEvery);
      if (this.#over.signal.aborted) return;
      this.#renewNow = Promise.withResolvers();
      const askedAt = now();
      try {
        if (this.#learn(await claims.renew(this.#claim, times.lease))) {
          this.#heldUntil = askedAt + times.lease * LEASE_USED;
        }
      } catch (error) {
        this.#deps.log.debug({ err: error, operation: String(this.id) }, "a lease could not be renewed");
        await this.#either(undefined, Math.min(times.renewEvery, times.sayEvery));
      }
    }
  }

  /** The database may not answer at all; nobody has to say then that the lease is over. */
  async #guardLease(): Promise<void> {
    const { now } = this.#deps;
    while (!this.#over.signal.aborted && this.#why !== "lost") {
      const left = this.#heldUntil - now();
      if (left <= 0) this.#learn(undefined);
      else await this.#either(undefined, left);
    }
  }

  async #keepSaying(): Promise<void> {
    const { claims, times, log } = this.#deps;
    while (!this.#over.signal.aborted && this.#why !== "lost") {
      await this.#either(this.#sayNow.promise, undefined);
      this.#sayNow = Promise.withResolvers();
      // What was said at the end goes with the end.
      if (this.#over.signal.aborted) return;
      if (this.#said.pending) {
        try {
          this.#learn(await this.#inTurn((said) => claims.say(this.#claim, said)));
        } catch (error) {
          this.#sayNow.resolve();
          log.debug({ err: error, operation: String(this.id) }, "progress could not be written down");
        }
      }
      await this.#either(undefined, times.sayEvery);
    }
  }

  /** @returns whether it is still ours */
  #learn(standing: Standing | undefined): boolean {
    if (this.#over.signal.aborted) return false;
    if (!standing) {
      this.#leave("lost", leaseLost());
      return false;
    }
    this.#subjectExists = standing.subjectExists;
    if (standing.cancelRequested) this.#cancel();
    return true;
  }

  #cancel(): void {
    this.#cancelled.abort(new KindredError("cancelled", "the operation was cancelled"));
  }

  #leave(why: Leaving, reason: KindredError): void {
    // Who shuts down may lose the lease as well, and then has nothing to hand back.
    if (this.#why !== "lost") this.#why = why;
    this.#leaving.abort(reason);
  }

  /** Between two attempts: ends early where there will be none. */
  async #rest(ms: number): Promise<void> {
    const { signal } = this.#cancelled;
    await pause(ms, AbortSignal.any([this.#leaving.signal, ...(signal.aborted ? [] : [signal])]));
  }

  /** Until the promise resolves, the time is over or the run is. */
  async #either(promise: Promise<void> | undefined, ms: number | undefined): Promise<void> {
    const done = new AbortController();
    const signal = AbortSignal.any([done.signal, this.#over.signal]);
    void promise?.then(() => done.abort());
    await pause(ms ?? 2 ** 31 - 1, signal);
  }
}

function isPassing(error: unknown): boolean {
  if (!isKindredError(error)) return false;
  return PASSING.has(error.kind) || (error.kind === "resource-exhausted" && error.retryAfterMs !== undefined);
}

function leaseLost(): KindredError {
  return new KindredError("aborted", "the lease of the operation is lost: somebody else goes on with it");
}
