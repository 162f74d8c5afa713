"""Writes the index files in fixtures/ with FAISS itself, and what FAISS says is in them.

    python3 -m venv venv && venv/bin/pip install 'faiss-cpu==1.15.1' numpy
    venv/bin/python make-fixtures.py

expected.json: for each file its count, dimensions, metric, ids by position (as text; null where they are the positions) and vectors
(base64 of float32, little-endian), as FAISS reconstructs them from the file that was written. The files in refused/ are of kinds that
are not read; refused.json has their class, and what rewriting them by the command of the message must give.
"""

import base64
import json
import os
import shutil
from pathlib import Path

import faiss
import numpy as np

HERE = Path(__file__).parent / "fixtures"
REFUSED = HERE / "refused"
D = 8
N = 60
faiss.omp_set_num_threads(1)
rng = np.random.default_rng(20240607)
X = rng.normal(size=(N, D)).astype("float32")
X /= np.linalg.norm(X, axis=1, keepdims=True)
# Negative, small, beyond 2^53, and in no order.
IDS = rng.permutation(np.concatenate([[-(2**63), -5, 0, 2**63 - 1, 2**53 + 1], rng.integers(0, 2**40, N - 5)])).astype("int64")

expected: dict[str, dict] = {}
refused: dict[str, str] = {}


def metric_of(index) -> str:
    return {faiss.METRIC_INNER_PRODUCT: "inner-product", faiss.METRIC_L2: "l2"}[index.metric_type]


def listed_ids(ivf) -> np.ndarray:
    lists = ivf.invlists
    parts = [
        faiss.rev_swig_ptr(lists.get_ids(l), lists.list_size(l)).copy() for l in range(ivf.nlist) if lists.list_size(l) > 0
    ]
    return np.concatenate(parts) if parts else np.zeros(0, "int64")


def write(name: str, index, ids=None) -> None:
    """ids: by position, where the index has ids of its own."""
    path = HERE / f"{name}.bin"
    faiss.write_index(index, str(path))
    index = faiss.read_index(str(path))
    n = index.ntotal
    if n == 0:
        vectors = np.zeros((0, index.d), "float32")
    elif ids is None:
        vectors = index.reconstruct_n(0, n)
    elif isinstance(index, (faiss.IndexIDMap, faiss.IndexIDMap2)):
        assert np.array_equal(faiss.vector_to_array(index.id_map), ids)
        vectors = index.index.reconstruct_n(0, n)
    else:
        assert np.array_equal(np.sort(listed_ids(index)), ids)
        index.set_direct_map_type(faiss.DirectMap.Hashtable)
        vectors = np.stack([index.reconstruct(int(i)) for i in ids])
    expected[path.name] = {
        "dimensions": index.d,
        "count": n,
        "metric": metric_of(index),
        "ids": None if ids is None else [str(i) for i in ids],
        "vectors": base64.b64encode(np.ascontiguousarray(vectors, "<f4").tobytes()).decode(),
    }


def refuse(name: str, index, binary=False) -> None:
    path = REFUSED / f"{name}.bin"
    (faiss.write_index_binary if binary else faiss.write_index)(index, str(path))
    refused[path.name] = type(index).__name__


def filled(index):
    if not index.is_trained:
        index.train(X)
    index.add(X)
    return index


def with_ids(index):
    if not index.is_trained:
        index.train(X)
    index.add_with_ids(X, IDS)
    return index


def ivf(nlist=5, quantizer=None, metric=faiss.METRIC_L2):
    quantizer = quantizer or faiss.IndexFlat(D, metric)
    index = faiss.IndexIVFFlat(quantizer, D, nlist, metric)
    return index


def ivf_sq(kind, by_residual, nlist=5):
    quantizer = faiss.IndexFlatL2(D)
    index = faiss.IndexIVFScalarQuantizer(quantizer, D, nlist, kind, faiss.METRIC_L2, by_residual)
    return index


def hnsw(metric=faiss.METRIC_L2):
    return faiss.IndexHNSWFlat(D, 4, metric)


def sparse_lists():
    """More lists than twice those with anything in them: FAISS then writes the sizes of these alone."""
    index = ivf(50)
    index.train(X)
    index.add(np.repeat(X[:2], 3, axis=0))
    return index


def readable() -> None:
    SQ = faiss.ScalarQuantizer
    sorted_ids = np.sort(IDS)
    write("flat-ip", filled(faiss.IndexFlatIP(D)))
    write("flat-l2", filled(faiss.IndexFlatL2(D)))
    write("flat-empty", faiss.IndexFlatL2(D))
    write("flat-one-dimension", filled_1d())
    write("idmap-flat-ip", with_ids(faiss.IndexIDMap(faiss.IndexFlatIP(D))), IDS)
    write("idmap2-flat-l2", with_ids(faiss.IndexIDMap2(faiss.IndexFlatL2(D))), IDS)
    removed = with_ids(faiss.IndexIDMap2(faiss.IndexFlatL2(D)))
    removed.remove_ids(IDS[10:20])
    write("idmap2-removed", removed, np.concatenate([IDS[:10], IDS[20:]]))
    write("idmap-hnsw-flat", with_ids(faiss.IndexIDMap(hnsw())), IDS)
    write("idmap-ivf-flat", with_ids(faiss.IndexIDMap(ivf())), IDS)
    write("ivf-flat", filled(ivf()))
    write("ivf-flat-ip", filled(ivf(metric=faiss.METRIC_INNER_PRODUCT)))
    write("ivf-flat-ids", with_ids(ivf()), sorted_ids)
    mapped = filled(ivf())
    mapped.make_direct_map()
    write("ivf-flat-direct-map", mapped)
    hashed = with_ids(ivf())
    hashed.set_direct_map_type(faiss.DirectMap.Hashtable)
    write("ivf-flat-hashtable", hashed, sorted_ids)
    write("ivf-flat-sparse", sparse_lists())
    write("ivf-flat-hnsw-quantizer", filled(ivf(quantizer=hnsw())))
    removed = filled(ivf())
    removed.remove_ids(np.arange(10, 20))
    write("ivf-flat-removed", removed, np.concatenate([np.arange(10), np.arange(20, N)]))
    write("ivf-flat-untrained", ivf())
    write("hnsw-flat-l2", filled(hnsw()))
    write("hnsw-flat-ip", filled(hnsw(faiss.METRIC_INNER_PRODUCT)))
    write("hnsw-flat-empty", hnsw())
    write("hnsw-sq8", filled(faiss.IndexHNSWSQ(D, SQ.QT_8bit, 4)))
    write("sq-8bit", filled(faiss.IndexScalarQuantizer(D, SQ.QT_8bit)))
    write("sq-8bit-ip", filled(faiss.IndexScalarQuantizer(D, SQ.QT_8bit, faiss.METRIC_INNER_PRODUCT)))
    write("sq-8bit-uniform", filled(faiss.IndexScalarQuantizer(D, SQ.QT_8bit_uniform)))
    write("sq-fp16", filled(faiss.IndexScalarQuantizer(D, SQ.QT_fp16)))
    write("sq-bf16", filled(faiss.IndexScalarQuantizer(D, SQ.QT_bf16)))
    direct = faiss.IndexScalarQuantizer(D, SQ.QT_8bit_direct)
    direct.add(rng.integers(0, 256, (N, D)).astype("float32"))
    write("sq-8bit-direct", direct)
    signed = faiss.IndexScalarQuantizer(D, SQ.QT_8bit_direct_signed)
    signed.add(rng.integers(-128, 128, (N, D)).astype("float32"))
    write("sq-8bit-direct-signed", signed)
    write("sq-untrained", faiss.IndexScalarQuantizer(D, SQ.QT_8bit))
    write("idmap-sq-fp16", with_ids(faiss.IndexIDMap(faiss.IndexScalarQuantizer(D, SQ.QT_fp16))), IDS)
    write("ivf-sq-8bit-residual", filled(ivf_sq(SQ.QT_8bit, True)))
    write("ivf-sq-8bit", filled(ivf_sq(SQ.QT_8bit, False)))
    write("ivf-sq-fp16-residual-ids", with_ids(ivf_sq(SQ.QT_fp16, True)), sorted_ids)


def filled_1d():
    index = faiss.IndexScalarQuantizer(1, faiss.ScalarQuantizer.QT_8bit)
    index.train(X[:, :1].copy())
    index.add(X[:, :1].copy())
    return index


def not_read() -> None:
    SQ = faiss.ScalarQuantizer
    refuse("pq", filled(faiss.IndexPQ(D, 4, 4)))
    refuse("idmap-pq", with_ids(faiss.IndexIDMap(faiss.IndexPQ(D, 4, 4))))
    quantizer = faiss.IndexFlatL2(D)
    refuse("ivf-pq", filled(faiss.IndexIVFPQ(quantizer, D, 3, 4, 4)))
    refuse("ivf-pq-ids", with_ids(faiss.IndexIVFPQ(quantizer, D, 3, 4, 4)))
    refuse("pretransform", filled(faiss.index_factory(D, "PCA4,Flat")))
    refuse("lsh", filled(faiss.IndexLSH(D, 16)))
    refuse("refine", filled(faiss.index_factory(D, "PQ4x4,RFlat")))
    refuse("sq-4bit", filled(faiss.IndexScalarQuantizer(D, SQ.QT_4bit)))
    refuse("idmap-sq-6bit", with_ids(faiss.IndexIDMap(faiss.IndexScalarQuantizer(D, SQ.QT_6bit))))
    refuse("hnsw-pq", filled(faiss.IndexHNSWPQ(D, 4, 4, 4)))
    refuse("nsg", faiss.IndexNSGFlat(D, 8))
    refuse("pq-fastscan", filled(faiss.IndexPQFastScan(D, 4, 4)))
    refuse("rabitq", filled(faiss.IndexRaBitQ(D)))
    refuse("flat-l1", filled(faiss.IndexFlat(D, faiss.METRIC_L1)))
    refuse("ivf-multi-index", filled(multi_index()))
    refuse("ivf-flat-dedup", filled(faiss.IndexIVFFlatDedup(quantizer, D, 3, faiss.METRIC_L2)))
    refuse("ivf-without-lists", without_lists(quantizer))
    on_disk()
    bits = faiss.IndexBinaryFlat(16)
    bits.add(rng.integers(0, 256, (N, 2)).astype("uint8"))
    refuse("binary-flat", bits, binary=True)


def multi_index():
    quantizer = faiss.MultiIndexQuantizer(D, 2, 2)
    index = faiss.IndexIVFFlat(quantizer, D, 16, faiss.METRIC_L2)
    index.quantizer_trains_alone = 1
    return index


def without_lists(quantizer):
    index = faiss.IndexIVFFlat(quantizer, D, 3, faiss.METRIC_L2)
    index.train(X)
    index.replace_invlists(None)
    return index


def on_disk() -> None:
    index = ivf(3)
    index.train(X)
    # Relative: the index names this file.
    os.chdir(REFUSED)
    lists = faiss.OnDiskInvertedLists(3, D * 4, "on-disk.ivfdata")
    index.replace_invlists(lists)
    index.add(X)
    refuse("on-disk", index)
    os.remove("on-disk.ivfdata")


def main() -> None:
    shutil.rmtree(HERE, ignore_errors=True)
    REFUSED.mkdir(parents=True)
    readable()
    not_read()
    (HERE / "expected.json").write_text(json.dumps(expected, indent=2) + "\n")
    (REFUSED / "refused.json").write_text(json.dumps(refused, indent=2) + "\n")


main()
