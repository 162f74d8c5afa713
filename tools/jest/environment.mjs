import { TestEnvironment } from "jest-environment-node";

// Native addons check `instanceof` against the realm that loaded them. Jest runs tests in a realm of its own, so the
// outer realm's buffers and typed arrays are handed in: otherwise onnxruntime refuses every tensor.
const SHARED = [
  "ArrayBuffer",
  "SharedArrayBuffer",
  "DataView",
  "Int8Array",
  "Uint8Array",
  "Uint8ClampedArray",
  "Int16Array",
  "Uint16Array",
  "Int32Array",
  "Uint32Array",
  "Float32Array",
  "Float64Array",
  "BigInt64Array",
  "BigUint64Array",
];

// A timeout here finds what hangs, not what is slow: tests state it for a machine of their own, and CI's is shared.
const PATIENCE = 4;

export default class extends TestEnvironment {
  #extended = new WeakSet();

  handleTestEvent(event, state) {
    const timed =
      event.name === "hook_start" ? event.hook : event.name === "test_fn_start" ? event.test : undefined;
    if (timed === undefined || this.#extended.has(timed)) return;
    this.#extended.add(timed);
    timed.timeout = (timed.timeout ?? state.testTimeout) * PATIENCE;
  }

  async setup() {
    await super.setup();
    for (const name of SHARED) this.global[name] = globalThis[name];
    // Errors of Node's own modules are born in the outer realm: `instanceof Error` shall hold for them as well.
    const InnerError = this.global.Error;
    Object.defineProperty(InnerError, Symbol.hasInstance, {
      value(candidate) {
        if (Function.prototype[Symbol.hasInstance].call(this, candidate)) return true;
        return this === InnerError && Error.isError(candidate);
      },
    });
  }
}
