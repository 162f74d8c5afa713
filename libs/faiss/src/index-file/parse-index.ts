import { KindredError } from "@kindred/errors";
import { float32Codec, type Codec } from "./codec.ts";
import type { FieldReader } from "./field-reader.ts";
import { damaged } from "./index-source.ts";
import { readInvertedLists, type InvertedLists } from "./inverted-lists.ts";
import { coarseQuantizerOf, refusal, rewriteAsFlat, type Where } from "./refusal.ts";
import { readScalarQuantizer } from "./scalar-quantizer.ts";

export type Metric = "inner-product" | "l2";

/** Codes one behind the other, by position, from byte `at` on. */
export interface FlatStorage {
  type: "flat";
  at: number;
  codec: Codec;
}

/** Codes in inverted lists; where there are centroids, codes are of what is left after taking the list's away. */
export interface ListStorage {
  type: "lists";
  lists: InvertedLists;
  codec: Codec;
  centroids: FlatStorage | undefined;
}

/** What an index is and where in the file its vectors are. */
export interface ParsedIndex {
  kind: string;
  dimensions: number;
  count: number;
  metric: Metric;
  storage: FlatStorage | ListStorage;
  /** Where the external ids begin, int64 each, by position. */
  idsAt: number | undefined;
}

interface Header {
  dimensions: number;
  count: number;
  metric: Metric;
}

/** More than any model has; an index without vectors could claim any number. */
const MAX_DIMENSIONS = 1_048_576;
/** Indexes inside indexes: FAISS makes IndexIDMap(IndexIVFFlat(IndexHNSWFlat(IndexFlat))), and none that is deeper. */
const MAX_DEPTH = 6;

/** MetricType of FAISS (faiss/MetricType.h), those it has beside the two that Kindred knows. */
const OTHER_METRICS: Readonly<Record<number, string>> = {
  2: "L1",
  3: "Linf",
  4: "Lp",
  20: "Canberra",
  21: "BrayCurtis",
  22: "JensenShannon",
  23: "Jaccard",
  24: "NaNEuclidean",
  25: "GOWER",
};

/**
 * Reads an index from where the fields stand, as faiss/impl/index_read.cpp does, stepping over vectors.
 * `inside`: the kinds around it, outermost first.
 */
export async function parseIndex(fields: FieldReader, inside: readonly string[] = []): Promise<ParsedIndex> {
  if (inside.length > MAX_DEPTH)
    throw fields.fault(`indexes are inside each other more than ${MAX_DEPTH} deep`);
  const fourcc = await fields.fourcc("the kind of the index");
  switch (fourcc) {
    case "IxFI":
    case "IxF2":
    case "IxFl":
      return parseFlat(fields, fourcc, inside);
    case "IxSQ":
      return parseScalarQuantized(fields, inside);
    case "IxMp":
    case "IxM2":
      return parseIdMap(fields, fourcc === "IxMp" ? "IndexIDMap" : "IndexIDMap2", inside);
    case "IHNf":
    case "IHNs":
    case "IH00":
      return parseHnsw(fields, fourcc, inside);
    case "IwFl":
      return parseIvfFlat(fields, inside);
    case "IwSQ":
    case "IwSq":
      return parseIvfScalarQuantized(fields, fourcc, inside);
    default:
      throw refusal(fourcc, { path: fields.source.path, inside });
  }
}

async function parseFlat(
  fields: FieldReader,
  fourcc: "IxFI" | "IxF2" | "IxFl",
  inside: readonly string[],
): Promise<ParsedIndex> {
  const header = await readHeader(fields, "IndexFlat", inside);
  const metric = { IxFI: "inner-product", IxF2: "l2", IxFl: header.metric }[fourcc];
  if (metric !== header.metric) throw fields.fault(`${fourcc} cannot have the metric ${header.metric}`);
  // In floats here, in bytes elsewhere.
  const floats = await fields.length("the vectors", 4);
  const { dimensions, count } = header;
  if (floats !== count * dimensions)
    throw fields.fault(
      `${count} vectors of ${dimensions} dimensions are ${count * dimensions} numbers, not ${floats}`,
    );
  const codec = float32Codec(dimensions);
  return {
    ...header,
    kind: header.metric === "l2" ? "IndexFlatL2" : "IndexFlatIP",
    storage: { type: "flat", at: fields.skip("the vectors", floats * 4), codec },
    idsAt: undefined,
  };
}

async function parseScalarQuantized(fields: FieldReader, inside: readonly string[]): Promise<ParsedIndex> {
  const name = "IndexScalarQuantizer";
  const header = await readHeader(fields, name, inside);
  const { type, codec } = await readScalarQuantizer(fields, header, [...inside, name]);
  const codes = await fields.skipVector("the codes", 1);
  if (codes.length !== header.count * codec.bytes)
    throw fields.fault(
      `${header.count} codes of ${codec.bytes} bytes are ${header.count * codec.bytes}, not ${codes.length}`,
    );
  return {
    ...header,
    kind: `${name}(${type})`,
    storage: { type: "flat", at: codes.at, codec },
    idsAt: undefined,
  };
}

async function parseIdMap(
  fields: FieldReader,
  name: "IndexIDMap" | "IndexIDMap2",
  inside: readonly string[],
): Promise<ParsedIndex> {
  const header = await readHeader(fields, name, inside);
  const inner = await parseIndex(fields, [...inside, name]);
  checkAgreement(fields, name, header, inner);
  if (inner.idsAt !== undefined) throw fields.fault(`${name} cannot be around ${inner.kind}`);
  const ids = await fields.skipVector("the ids", 8);
  if (ids.length !== header.count)
    throw fields.fault(`${name} has ${header.count} vectors, and ${ids.length} ids`);
  return { ...inner, kind: `${name}(${inner.kind})`, idsAt: ids.at };
}

async function parseHnsw(
  fields: FieldReader,
  fourcc: "IHNf" | "IHNs" | "IH00",
  inside: readonly string[],
): Promise<ParsedIndex> {
  const name = { IHNf: "IndexHNSWFlat", IHNs: "IndexHNSWSQ", IH00: "IndexHNSW" }[fourcc];
  const header = await readHeader(fields, name, inside);
  await skipGraph(fields, header.count);
  const storage = await parseIndex(fields, [...inside, name]);
  checkAgreement(fields, name, header, storage);
  if (storage.storage.type !== "flat" || storage.idsAt !== undefined)
    throw fields.fault(`${name} cannot keep its vectors in ${storage.kind}`);
  return { ...storage, kind: fourcc === "IHNf" ? name : `${name}(${storage.kind})` };
}

/** The graph of HNSW: nothing in it is needed (faiss/impl/index_write.cpp, write_HNSW). */
async function skipGraph(fields: FieldReader, count: number): Promise<void> {
  await fields.skipVector("the probabilities of levels", 8);
  await fields.skipVector("the neighbours up to each level", 4);
  const levels = await fields.skipVector("the levels", 4);
  const offsets = await fields.skipVector("the places of neighbours", 8);
  if (levels.length !== count || offsets.length !== count + 1)
    throw fields.fault(
      `the graph has ${levels.length} levels and ${offsets.length} places for ${count} vectors`,
    );
  await fields.skipVector("the neighbours", 4);
  // Entry point, greatest level, efConstruction, efSearch, and one that is not used any more.
  fields.skip("the settings of the graph", 5 * 4);
}

async function parseIvfFlat(fields: FieldReader, inside: readonly string[]): Promise<ParsedIndex> {
  const kind = "IndexIVFFlat";
  const where = { path: fields.source.path, inside: [...inside, kind] };
  const { header, lists } = await readIvfHeader(fields, kind, inside);
  const codec = float32Codec(header.dimensions);
  const inverted = await readInvertedLists(fields, {
    lists,
    codeBytes: codec.bytes,
    inside: where.inside,
  });
  checkListed(header, inverted, where);
  return {
    ...header,
    kind,
    storage: { type: "lists", lists: inverted, codec, centroids: undefined },
    idsAt: undefined,
  };
}

async function parseIvfScalarQuantized(
  fields: FieldReader,
  fourcc: "IwSQ" | "IwSq",
  inside: readonly string[],
): Promise<ParsedIndex> {
  const name = "IndexIVFScalarQuantizer";
  const where = { path: fields.source.path, inside: [...inside, name] };
  const { header, lists, quantizer } = await readIvfHeader(fields, name, inside);
  const { type, codec } = await readScalarQuantizer(fields, header, [...inside, name]);
  const codeBytes = await fields.count("the code size of the index");
  if (codeBytes !== codec.bytes)
    throw fields.fault(`the codes of ${name} are ${codeBytes} bytes, those of ${type} ${codec.bytes}`);
  const byResidual = fourcc === "IwSQ" || (await fields.boolean("whether codes are of residuals"));
  const inverted = await readInvertedLists(fields, { lists, codeBytes, inside: where.inside });
  checkListed(header, inverted, where);
  const { storage } = quantizer;
  if (byResidual && inverted.rows > 0 && (storage.type !== "flat" || quantizer.count !== lists))
    throw fields.fault(
      `${quantizer.kind} with ${quantizer.count} vectors cannot be the centroids of ${lists} lists`,
    );
  return {
    ...header,
    kind: `${name}(${type})`,
    storage: {
      type: "lists",
      lists: inverted,
      codec,
      centroids: byResidual && storage.type === "flat" ? storage : undefined,
    },
    idsAt: undefined,
  };
}

async function readIvfHeader(
  fields: FieldReader,
  name: string,
  inside: readonly string[],
): Promise<{ header: Header; lists: number; quantizer: ParsedIndex }> {
  const header = await readHeader(fields, name, inside);
  const lists = await fields.count("the number of lists");
  await fields.count("the number of probes");
  const quantizer = await parseIndex(fields, [...inside, name, coarseQuantizerOf(name)]);
  if (quantizer.dimensions !== header.dimensions)
    throw fields.fault(
      `${name} has ${header.dimensions} dimensions, its coarse quantiser ${quantizer.dimensions}`,
    );
  await skipDirectMap(fields);
  return { header, lists, quantizer };
}

/** Where in the lists each id is; the lists say it as well. 0: none, 1: an array, 2: pairs of a hash table. */
async function skipDirectMap(fields: FieldReader): Promise<void> {
  const type = await fields.uint8("the type of the direct map");
  if (type > 2) throw fields.fault(`a direct map cannot be of type ${type}`);
  await fields.skipVector("the direct map", 8);
  if (type === 2) await fields.skipVector("the direct map", 16);
}

async function readHeader(fields: FieldReader, name: string, inside: readonly string[]): Promise<Header> {
  const { path } = fields.source;
  const dimensions = await fields.int32(`the dimensions of ${name}`);
  if (dimensions < 1 || dimensions > MAX_DIMENSIONS)
    throw fields.fault(`${name} cannot have ${dimensions} dimensions`);
  const count = await fields.count(`the number of vectors of ${name}`);
  // Twice 2^20 today, never read.
  fields.skip("unused fields", 16);
  await fields.boolean(`whether ${name} is trained`);
  const metric = await fields.int32(`the metric of ${name}`);
  if (metric !== 0 && metric !== 1) {
    const other = OTHER_METRICS[metric];
    if (other === undefined) throw fields.fault(`${name} cannot have the metric ${metric}`);
    throw new KindredError(
      "unimplemented",
      `${path} compares its vectors by the metric ${other}; Kindred migrates inner product and L2. ` +
        `If L2 will do as well: ${rewriteAsFlat({ path, inside: [...inside, name] }, { metric: "faiss.METRIC_L2" })}`,
    );
  }
  return { dimensions, count, metric: metric === 0 ? "inner-product" : "l2" };
}

/** An index and the one inside it have the same vectors. */
function checkAgreement(fields: FieldReader, name: string, outer: Header, inner: ParsedIndex): void {
  for (const field of ["dimensions", "count", "metric"] as const)
    if (outer[field] !== inner[field])
      throw fields.fault(
        `the ${field} of ${name} is ${outer[field]}, that of ${inner.kind} in it ${inner[field]}`,
      );
}

/** Each vector must be in a list. The index is the last of `where.inside`. */
function checkListed({ count }: Header, { rows }: InvertedLists, { path, inside }: Where): void {
  if (rows === count) return;
  const name = inside.at(-1) ?? "the index";
  if (rows > count) throw damaged(path, `${name} counts ${count} vectors, and its lists have ${rows}`);
  throw new KindredError(
    "data-loss",
    `${path} is not complete: ${name} counts ${count} vectors, and its lists have ${rows}. FAISS leaves out vectors ` +
      `with NaN in them and counts them all the same. ${rewriteAsFlat({ path, inside })}`,
  );
}
