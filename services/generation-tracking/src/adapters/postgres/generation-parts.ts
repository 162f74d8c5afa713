/** About so many bytes of generations are read at once. What they take as messages is about the same, and less than messages hold. */
const PART_BYTES = 12 * 2 ** 20;

/** Long JSON is stored compressed, texts of the usual kind to a third. */
const COMPRESSION = 3;

// How long a text is stands before it: none of them is read for this.
const SIZES = `
  SELECT id,
         octet_length(prompt)::bigint + COALESCE(octet_length(augmented_prompt), 0) + COALESCE(octet_length(negative_prompt), 0)
           + COALESCE(octet_length(error_message), 0)
           + ${COMPRESSION} * (COALESCE(pg_column_size(model_config), 0) + COALESCE(pg_column_size(retrieved_examples), 0)) AS bytes
    FROM generations WHERE id = ANY ($1::bigint[])`;

/**
 * Parts of the ids, in their order, whose generations may be in memory together; one that is longer than that is alone.
 * @param query runs a statement where the generations are read
 */
export async function partsOf(
  query: (sql: string, parameters: unknown[]) => Promise<{ rows: { id: string; bytes: string }[] }>,
  ids: readonly bigint[],
): Promise<bigint[][]> {
  if (ids.length === 0) return [];
  const { rows } = await query(SIZES, [ids.map(String)]);
  const bytesOf = new Map(rows.map(({ id, bytes }) => [BigInt(id), Number(bytes)]));
  const parts: bigint[][] = [];
  let room = 0;
  for (const id of ids) {
    const bytes = bytesOf.get(id) ?? 0;
    const last = parts.at(-1);
    if (last && bytes <= room) last.push(id);
    else {
      parts.push([id]);
      room = PART_BYTES;
    }
    room -= bytes;
  }
  return parts;
}
