import { KindredError } from "@kindred/errors";
import { damaged } from "./index-source.ts";

/** Why a kind of index is not read. */
type Reason = "compressed" | "other layout" | "transformed" | "bits" | "elsewhere" | "no vectors";

/** Kinds that FAISS writes and Kindred refuses, by the four characters they begin with (faiss/impl/index_write.cpp, index_read.cpp). */
const REFUSED: Readonly<Record<string, readonly [name: string, reason: Reason]>> = {
  IxPQ: ["IndexPQ", "compressed"],
  IxPo: ["IndexPQ", "compressed"],
  IxPq: ["IndexPQ", "compressed"],
  IPfs: ["IndexPQFastScan", "compressed"],
  IvPQ: ["IndexIVFPQ", "compressed"],
  IwPQ: ["IndexIVFPQ", "compressed"],
  IvQR: ["IndexIVFPQR", "compressed"],
  IwQR: ["IndexIVFPQR", "compressed"],
  IwPf: ["IndexIVFPQFastScan", "compressed"],
  IHNp: ["IndexHNSWPQ", "compressed"],
  IHN2: ["IndexHNSW2Level", "compressed"],
  INSp: ["IndexNSGPQ", "compressed"],
  Ix2L: ["Index2Layer", "compressed"],
  IxRQ: ["IndexResidualQuantizer", "compressed"],
  IxRq: ["IndexResidualQuantizer", "compressed"],
  IxLS: ["IndexLocalSearchQuantizer", "compressed"],
  IxPR: ["IndexProductResidualQuantizer", "compressed"],
  IxPL: ["IndexProductLocalSearchQuantizer", "compressed"],
  ILfs: ["IndexLocalSearchQuantizerFastScan", "compressed"],
  IRfs: ["IndexResidualQuantizerFastScan", "compressed"],
  IPRf: ["IndexProductResidualQuantizerFastScan", "compressed"],
  IPLf: ["IndexProductLocalSearchQuantizerFastScan", "compressed"],
  IVLf: ["IndexIVFLocalSearchQuantizerFastScan", "compressed"],
  IVRf: ["IndexIVFResidualQuantizerFastScan", "compressed"],
  NPLf: ["IndexIVFProductLocalSearchQuantizerFastScan", "compressed"],
  NPRf: ["IndexIVFProductResidualQuantizerFastScan", "compressed"],
  IwLS: ["IndexIVFLocalSearchQuantizer", "compressed"],
  IwRQ: ["IndexIVFResidualQuantizer", "compressed"],
  IwPL: ["IndexIVFProductLocalSearchQuantizer", "compressed"],
  IwPR: ["IndexIVFProductResidualQuantizer", "compressed"],
  IxHE: ["IndexLSH", "compressed"],
  IxHe: ["IndexLSH", "compressed"],
  IwSh: ["IndexIVFSpectralHash", "no vectors"],
  IxLa: ["IndexLattice", "compressed"],
  IRMf: ["IndexRowwiseMinMax", "compressed"],
  IRMh: ["IndexRowwiseMinMaxFP16", "compressed"],
  Ixrq: ["IndexRaBitQ", "compressed"],
  Ixrr: ["IndexRaBitQ", "compressed"],
  Iwrq: ["IndexIVFRaBitQ", "compressed"],
  Iwrr: ["IndexIVFRaBitQ", "compressed"],
  Irfn: ["IndexRaBitQFastScan", "compressed"],
  Irfs: ["IndexRaBitQFastScan", "compressed"],
  Iwrn: ["IndexIVFRaBitQFastScan", "compressed"],
  Iwrf: ["IndexIVFRaBitQFastScan", "compressed"],
  IxEd: ["IndexEDEN", "compressed"],
  IxEe: ["IndexEDEN", "compressed"],
  IwEd: ["IndexIVFEDEN", "compressed"],
  IwEe: ["IndexIVFEDEN", "compressed"],
  IvSQ: ["IndexIVFScalarQuantizer of an early FAISS", "compressed"],
  IvFl: ["IndexIVFFlat of an early FAISS", "other layout"],
  IvFL: ["IndexIVFFlat of an early FAISS", "other layout"],
  IxFP: ["IndexFlatL2Panorama", "other layout"],
  IxFp: ["IndexFlatIPPanorama", "other layout"],
  IwPn: ["IndexIVFFlatPanorama", "other layout"],
  IwP2: ["IndexIVFFlatPanorama", "other layout"],
  IHfP: ["IndexHNSWFlatPanorama", "other layout"],
  IHNc: ["IndexHNSWCagra", "other layout"],
  IHc2: ["IndexHNSWCagra", "other layout"],
  INSf: ["IndexNSGFlat", "other layout"],
  INSs: ["IndexNSGSQ", "compressed"],
  INNf: ["IndexNNDescentFlat", "other layout"],
  IxRF: ["IndexRefine", "other layout"],
  IxRP: ["IndexRefinePanorama", "other layout"],
  IwIQ: ["IndexIVFIndependentQuantizer", "other layout"],
  IxPT: ["IndexPreTransform", "transformed"],
  IwFd: ["IndexIVFFlatDedup", "no vectors"],
  ImRQ: ["ResidualCoarseQuantizer", "no vectors"],
  Imiq: ["MultiIndexQuantizer", "no vectors"],
  ILVQ: ["IndexSVSVamanaLVQ", "no vectors"],
  ISVL: ["IndexSVSVamanaLeanVec", "no vectors"],
  ISVD: ["IndexSVSVamana", "no vectors"],
  ISV2: ["IndexSVSVamana", "no vectors"],
  ISVF: ["IndexSVSFlat", "no vectors"],
  ISIQ: ["IndexSVSIVFLVQ", "no vectors"],
  ISIL: ["IndexSVSIVFLeanVec", "no vectors"],
  ISID: ["IndexSVSIVF", "no vectors"],
  IBxF: ["IndexBinaryFlat", "bits"],
  IBwF: ["IndexBinaryIVF", "bits"],
  IBFf: ["IndexBinaryFromFloat", "bits"],
  IBHf: ["IndexBinaryHNSW", "bits"],
  IBHc: ["IndexBinaryHNSWCagra", "bits"],
  IBMp: ["IndexBinaryIDMap", "bits"],
  IBM2: ["IndexBinaryIDMap2", "bits"],
  IBHh: ["IndexBinaryHash", "bits"],
  IBHm: ["IndexBinaryMultiHash", "bits"],
  ilod: ["OnDiskInvertedLists", "elsewhere"],
  il00: ["an IndexIVF without its lists", "no vectors"],
  ilbl: ["BlockInvertedLists", "compressed"],
  ilpn: ["ArrayInvertedListsPanorama", "other layout"],
  ilp2: ["ArrayInvertedListsPanorama", "other layout"],
  null: ["an index without its storage", "no vectors"],
};

/** Where in the index something was found that is not read. */
export interface Where {
  path: string;
  /** The kinds around it, outermost first, e.g. ["IndexIDMap"]. */
  inside: readonly string[];
}

const COARSE_QUANTIZER = "the coarse quantiser of ";

/** What stands in `inside` for the index that finds the list of a vector. */
export function coarseQuantizerOf(name: string): string {
  return COARSE_QUANTIZER + name;
}

/** The error of a kind that begins with these characters, at a place where one that is read should begin. */
export function refusal(fourcc: string, where: Where): KindredError {
  const { path, inside } = where;
  const known = REFUSED[fourcc];
  if (known) {
    const [name, reason] = known;
    const around = inside.length === 0 ? "" : ` inside ${inside.at(-1)}`;
    return new KindredError(
      "unimplemented",
      `${path} holds ${name}${around}. ${explain(reason, { path, inside: [...inside, name] })}`,
    );
  }
  if (inside.length > 0)
    return damaged(path, `an index should be inside ${inside.at(-1)}, and "${fourcc}" is no kind of index`);
  // What FAISS adds one day will begin like all the others.
  return /^I[A-Za-z0-9]{3}$/.test(fourcc)
    ? new KindredError(
        "unimplemented",
        `${path} begins with "${fourcc}", a kind of index that Kindred does not know. ${rewriteAsFlat(where)}`,
      )
    : new KindredError("data-loss", `${path} is not a FAISS index: it begins with "${fourcc}".`);
}

function explain(reason: Reason, where: Where): string {
  // What finds the lists may be compressed or not, the vectors are elsewhere.
  if (where.inside.some((name) => name.startsWith(COARSE_QUANTIZER)))
    return `Kindred cannot read past it. ${rewriteAsFlat(where)}`;
  switch (reason) {
    case "compressed":
      return (
        "It keeps compressed codes that Kindred does not decode. Best is to embed the originals again. " +
        rewriteAsFlat(where, { approximate: true })
      );
    case "transformed":
      return `It keeps its vectors transformed, not as they were added. ${rewriteAsFlat(where)} (approximate where it dropped dimensions, and without ids of its own)`;
    case "other layout":
      return `Kindred does not read how it keeps its vectors. ${rewriteAsFlat(where)}`;
    case "elsewhere":
      return `Its vectors are in another file, which FAISS itself must read. ${rewriteAsFlat(where)}`;
    case "bits":
      return "It keeps bits, from which no vectors of numbers can be had: embed the originals again.";
    case "no vectors":
      return "No vectors can be had from it: write the index anew from the original vectors, e.g. as IndexFlatIP.";
  }
}

/** What to type so that FAISS itself writes the index in a form that is read. */
export function rewriteAsFlat(
  { path, inside }: Where,
  { approximate = false, metric = "i.metric_type" }: { approximate?: boolean; metric?: string } = {},
): string {
  // A name that would need quoting is better written by whoever types it.
  const file = /^[\w./-]+$/.test(path) ? path : "faiss_index.bin";
  const command = [
    "import faiss, numpy as np",
    `i = faiss.read_index('${file}')`,
    `f = faiss.IndexFlat(i.d, ${metric})`,
    ...copyStatements(inside[0] ?? ""),
    "faiss.write_index(f, 'flat.bin')",
  ].join("; ");
  return approximate
    ? `To migrate what can be had from the codes, approximately, write it as a flat index: python3 -c "${command}"`
    : `Write it as a flat index first: python3 -c "${command}"`;
}

/** From index i to the flat index f, with its ids. */
function copyStatements(outermost: string): string[] {
  if (outermost.startsWith("IndexIDMap"))
    return [
      "f = faiss.IndexIDMap(f)",
      "f.add_with_ids(i.index.reconstruct_n(0, i.ntotal), faiss.vector_to_array(i.id_map))",
    ];
  // reconstruct_n of an inverted file takes positions for ids, and gives rubbish where they are not.
  if (outermost.startsWith("IndexIVF"))
    return [
      "l = i.invlists",
      "k = np.sort(np.concatenate([faiss.rev_swig_ptr(l.get_ids(j), l.list_size(j)) for j in range(i.nlist) if l.list_size(j)]))",
      "i.set_direct_map_type(faiss.DirectMap.Hashtable)",
      "f = faiss.IndexIDMap(f)",
      "f.add_with_ids(np.stack([i.reconstruct(int(j)) for j in k]), k)",
    ];
  return ["f.add(i.reconstruct_n(0, i.ntotal))"];
}
