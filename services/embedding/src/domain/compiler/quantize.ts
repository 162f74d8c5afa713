/** A weight matrix in 8 bits: W[k][n] is about values[k][n] x scales[n]. */
export interface QuantizedColumns {
  /** Row-major, -127 to 127. */
  readonly values: Int8Array<ArrayBuffer>;
  readonly scales: Float32Array<ArrayBuffer>;
}

const INT8_MAX = 127;
const UINT8_MAX = 255;

/** Symmetric 8-bit quantisation of a row-major [rows, columns] matrix, with a scale for each column. */
export function quantizeColumns(weight: Float32Array, rows: number, columns: number): QuantizedColumns {
  const scales = new Float32Array(columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const magnitude = Math.abs(weight[row * columns + column] as number);
      if (magnitude > (scales[column] as number)) scales[column] = magnitude;
    }
  }
  for (let column = 0; column < columns; column++) {
    // A column of zeros, or as good as zeros, stays zeros under any scale.
    scales[column] = Math.fround((scales[column] as number) / INT8_MAX) || 1;
  }
  const values = new Int8Array(rows * columns);
  for (let i = 0; i < values.length; i++) {
    values[i] = Math.round((weight[i] as number) / (scales[i % columns] as number));
  }
  return { values, scales };
}

/** An affine 8-bit code: x is about (q - zeroPoint) x scale, with q from 0 to 255. */
export interface AffineCode {
  readonly scale: number;
  readonly zeroPoint: number;
}

/** The code that spans `low` to `high`, in which zero is exact. Values beyond are cut to the nearest end. */
export function affineCode(low: number, high: number): AffineCode {
  const [bottom, top] = [Math.min(low, 0), Math.max(high, 0)];
  const scale = (top - bottom) / UINT8_MAX || 1;
  return { scale, zeroPoint: Math.round((0 - bottom) / scale) };
}
