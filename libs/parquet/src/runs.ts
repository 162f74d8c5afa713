/**
 * `count` numbers of at most 24 bits, encoded by runs and packed bits in turns:
 * https://parquet.apache.org/docs/file-format/data-pages/encodings/#RLE. hyparquet's own reader repeats a value as often as the
 * file says, which a damaged one can say two thousand million times.
 *
 * @throws RangeError where the bytes end before
 */
export function readRuns(bytes: Uint8Array, bits: number, count: number): Uint8Array | Uint32Array {
  const numbers = bits <= 8 ? new Uint8Array(count) : new Uint32Array(count);
  if (bits === 0) return numbers;
  if (bits > 24) throw new RangeError(`numbers of ${bits} bits`);
  const mask = 2 ** bits - 1;
  const width = (bits + 7) >> 3;
  let at = 0;
  const next = (): number => {
    const byte = bytes[at++];
    if (byte === undefined) throw new RangeError("runs end before their numbers do");
    return byte;
  };
  for (let done = 0; done < count;) {
    let header = 0;
    for (let shift = 0, byte = 0x80; byte & 0x80; shift += 7) {
      if (shift > 28) throw new RangeError("the length of a run has no end");
      byte = next();
      header += (byte & 0x7f) * 2 ** shift;
    }
    const length = Math.floor(header / 2);
    if (header % 2 === 0) {
      let value = 0;
      for (let i = 0; i < width; i++) value += next() * 2 ** (8 * i);
      const end = Math.min(count, done + length);
      numbers.fill(value & mask, done, end);
      done = end;
      continue;
    }
    // Groups of eight numbers; the last may have some that are not there.
    const end = Math.min(count, done + 8 * length);
    let held = 0;
    let heldBits = 0;
    const last = at + length * bits;
    while (done < end) {
      while (heldBits < bits) {
        held += next() * 2 ** heldBits;
        heldBits += 8;
      }
      numbers[done++] = held & mask;
      held = Math.floor(held / 2 ** bits);
      heldBits -= bits;
    }
    at = Math.max(at, last);
  }
  return numbers;
}
