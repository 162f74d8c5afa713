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

export default class extends TestEnvironment {
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
