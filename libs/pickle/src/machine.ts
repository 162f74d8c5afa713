import { KindredError } from "@kindred/errors";
import type { ByteSource } from "./byte-source.ts";
import { constructorOf, DtypePart, isHashable, isPart, Refused, bytesOf, type StackItem } from "./globals.ts";
import { Budget } from "./limits.ts";
import { makeArray, setDtypeState } from "./numpy.ts";
import { NumpyArray } from "./numpy-array.ts";
import { Global, type PickleValue } from "./value.ts";

/**
 * The stack machine that a pickle is a program for: a stack with marks, and a memo. Every fault is named with its position. Containers may have
 * names and dtypes in them, as tuples of arguments do; whether one stays in the value is looked at when it is complete.
 */
export class Machine {
  readonly #stack: StackItem[] = [];
  readonly #marks: number[] = [];
  /** Numbers in the memo are given one after the other, by Python; by others they may be any. */
  readonly #memo: StackItem[] = [];
  readonly #oddMemo = new Map<number, StackItem>();
  readonly #budget: Budget;
  /** Of the opcode that is being followed. */
  position = 0;

  constructor(source: ByteSource) {
    this.#budget = new Budget(source.left);
  }

  push(item: StackItem): void {
    this.#stack.push(item);
  }

  pop(): StackItem {
    if (this.#stack.length <= (this.#marks.at(-1) ?? 0)) throw this.damaged("the stack is empty");
    return this.#stack.pop() as StackItem;
  }

  /** The item on top, which stays. */
  top(): StackItem {
    if (this.#stack.length <= (this.#marks.at(-1) ?? 0)) throw this.damaged("the stack is empty");
    return this.#stack.at(-1) as StackItem;
  }

  mark(): void {
    this.#marks.push(this.#stack.length);
  }

  /** What is above the last mark, which goes. */
  popMark(): StackItem[] {
    const mark = this.#marks.pop();
    if (mark === undefined) throw this.damaged("there is no mark");
    return this.#stack.splice(mark);
  }

  /** POP takes a mark away where one is on top. */
  popItemOrMark(): void {
    if (this.#marks.at(-1) === this.#stack.length) this.#marks.pop();
    else this.pop();
  }

  memoize(index: number): void {
    if (index <= this.#memo.length) this.#memo[index] = this.top();
    else this.#oddMemo.set(index, this.top());
  }

  get memoSize(): number {
    return this.#memo.length + this.#oddMemo.size;
  }

  remember(index: number): void {
    const item = index < this.#memo.length ? this.#memo[index] : this.#oddMemo.get(index);
    if (item === undefined) throw this.damaged(`nothing was kept as number ${index}`);
    this.push(item);
  }

  append(items: readonly StackItem[]): void {
    const list = this.top();
    if (!Array.isArray(list)) throw this.damaged("there is no list to append to");
    // One by one: a call with a million arguments overflows the stack of JavaScript.
    for (const item of items) list.push(item as PickleValue);
  }

  addToSet(items: readonly StackItem[]): void {
    const set = this.top();
    if (!(set instanceof Set)) throw this.damaged("there is no set to add to");
    for (const item of items) set.add(this.#key(item));
  }

  setItems(items: readonly StackItem[]): void {
    const map = this.top();
    if (!(map instanceof Map)) throw this.damaged("there is no dict to write to");
    this.putAll(map, items);
  }

  /** @param items keys and values by turns */
  putAll(map: Map<PickleValue, PickleValue>, items: readonly StackItem[]): Map<PickleValue, PickleValue> {
    if (items.length % 2 !== 0) throw this.damaged("a key has no value");
    for (let i = 0; i < items.length; i += 2)
      map.set(this.#key(items[i] as StackItem), items[i + 1] as PickleValue);
    return map;
  }

  setOf(items: readonly StackItem[]): Set<PickleValue> {
    return new Set(items.map((item) => this.#key(item)));
  }

  /** @throws KindredError failed-precondition unless it is one of those that may be named */
  global(module: string, name: string): Global {
    if (constructorOf(module, name)) return new Global(module, name);
    const shown = [module, name].map((part) => part.slice(0, 100)).join(".");
    throw new KindredError(
      "failed-precondition",
      `the pickle names ${JSON.stringify(shown).slice(1, -1)} at byte ${this.position}, which is neither plain data nor of numpy or datetime, ` +
        "and could run any program; nothing of it was run. If you trust the file, load it in Python and write it anew as " +
        "lists, dicts, strings, numbers and numpy arrays",
      { metadata: { global: shown, position: String(this.position) } },
    );
  }

  /** What Python would call: a name with a tuple of arguments. */
  call(callee: StackItem, args: StackItem): StackItem {
    if (!(callee instanceof Global)) throw this.damaged("what is called is no name");
    if (!Array.isArray(args)) throw this.damaged(`${callee.path} is called without a tuple of arguments`);
    const made = constructorOf(callee.module, callee.name)?.(args as StackItem[], this.#budget);
    if (made === undefined) throw this.damaged(`${callee.path} cannot be called`);
    if (made instanceof Refused) {
      throw new KindredError(
        "failed-precondition",
        `the pickle cannot be read: at byte ${this.position}, ${callee.path} ${made.reason}`,
        { metadata: { global: callee.path, position: String(this.position) } },
      );
    }
    return made;
  }

  /** BUILD: gives a state to what is on top. Only what numpy makes has one. */
  build(state: StackItem): void {
    const target = this.top();
    if (!Array.isArray(state) || !(target instanceof DtypePart || target instanceof NumpyArray))
      throw this.damaged("it gives a state to what has none");
    const problem =
      target instanceof DtypePart
        ? setDtypeState(target.dtype, state)
        : this.#fillArray(target, state as StackItem[]);
    if (problem !== undefined) {
      throw new KindredError(
        "failed-precondition",
        `the pickle cannot be read: at byte ${this.position}, ${problem}`,
      );
    }
  }

  /** The state of an array: version, shape, dtype, whether it is in Fortran's order, data. */
  #fillArray(target: NumpyArray, state: readonly StackItem[]): string | undefined {
    const [version, shape, type, fortran, data] = state;
    if (state.length !== 5 || version !== 1 || !(type instanceof DtypePart))
      return "the state of a numpy array has an unknown form";
    const values = Array.isArray(data) ? data : bytesOf(data);
    if (values === undefined) return "a numpy array has no data";
    const array = makeArray(type.dtype, shape, fortran === true || fortran === 1, values, this.#budget);
    if (typeof array === "string") return array;
    Object.assign(target, array);
    return undefined;
  }

  /** What is left at the end. */
  result(position: number): StackItem {
    this.position = position;
    if (this.#stack.length !== 1 || this.#marks.length > 0)
      throw this.damaged(`${this.#stack.length} values are left at its end instead of one`);
    return this.pop();
  }

  damaged(what: string): KindredError {
    return new KindredError("data-loss", `the pickle is damaged: ${what}, at byte ${this.position}`);
  }

  #key(item: StackItem): PickleValue {
    if (isPart(item) || !isHashable(item)) throw this.damaged("a key is none that can be hashed");
    return item;
  }
}
