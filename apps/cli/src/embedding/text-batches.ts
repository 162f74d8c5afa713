/** Texts that are embedded by one call. */
export interface TextBatch {
  texts: string[];
  /** Number of the first text, from 0. */
  first: number;
  /** Bytes of the source up to the end of the last text. */
  end: number;
}

/** Texts with what is needed to know how far one is. */
interface Text {
  text: string;
  bytes: number;
  end: number;
}

/** In order; a batch has as many texts and bytes as it may, and at least one text. */
export async function* inTextBatches(
  texts: AsyncIterable<Text>,
  limits: { texts: number; bytes: number },
): AsyncGenerator<TextBatch> {
  let batch: TextBatch = { texts: [], first: 0, end: 0 };
  let bytes = 0;
  for await (const next of texts) {
    const full = batch.texts.length >= limits.texts || bytes + next.bytes > limits.bytes;
    if (batch.texts.length > 0 && full) {
      yield batch;
      batch = { texts: [], first: batch.first + batch.texts.length, end: batch.end };
      bytes = 0;
    }
    batch.texts.push(next.text);
    batch.end = next.end;
    bytes += next.bytes;
  }
  if (batch.texts.length > 0) yield batch;
}
