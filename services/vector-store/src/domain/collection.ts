/** The one collection of this service: the catalogue's images. */
export const COLLECTION = "images";

/** Length of every vector in the catalogue: the width of the column embeddings.embedding. */
export const DIMENSIONS = 384;

export const VECTOR_BYTES = DIMENSIONS * Float32Array.BYTES_PER_ELEMENT;
