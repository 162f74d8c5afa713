const MAGIC = Buffer.from("\x93NUMPY\x01\x00", "latin1");

/** Whatever the number of rows: the header's values are written last, into room that was kept for them. A multiple of 64. */
export const NPY_HEADER_BYTES = 128;

/**
 * The header of a NumPy file, format 1.0, of a C-ordered array of little-endian float32: magic, version, length of the rest as uint16, and a
 * Python literal that is padded with spaces and ends with a newline. https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 */
export function npyHeader(rows: number, columns: number): Uint8Array {
  const header = Buffer.alloc(NPY_HEADER_BYTES, " ");
  const literal = `{'descr': '<f4', 'fortran_order': False, 'shape': (${rows}, ${columns}), }`;
  MAGIC.copy(header);
  header.writeUInt16LE(NPY_HEADER_BYTES - MAGIC.length - 2, MAGIC.length);
  header.write(literal, MAGIC.length + 2, "latin1");
  header.write("\n", NPY_HEADER_BYTES - 1, "latin1");
  return header;
}
