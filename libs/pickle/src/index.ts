export { readPickle } from "./read-pickle.ts";
export type { PickleLimits } from "./limits.ts";
export { NumpyArray, type NumpyData } from "./numpy-array.ts";
export { Complex, Temporal, type PickleValue, type TemporalKind } from "./value.ts";
