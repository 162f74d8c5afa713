# Makes test/fixtures: the same 300 rows as other writers lay them out. Needs pyarrow 26 and duckdb 2:
#   python3 -m venv venv && venv/bin/pip install pyarrow duckdb && venv/bin/python libs/parquet/test/make-fixtures.py
# foreign-files.test.ts computes the rows anew.
import datetime
import decimal
import pathlib
import uuid

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 300
folder = pathlib.Path(__file__).parent / "fixtures"
folder.mkdir(exist_ok=True)


def each(make, every=None):
    """Values of all rows; each so-manieth is missing."""
    return [None if every and i % every == 0 else make(i) for i in range(ROWS)]


epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
song_columns = {
    "id": pa.array(each(lambda i: 10_000_000_000 + i), pa.int64()),
    "title": pa.array(each(lambda i: f"Lied {i} 🎵", 7), pa.string()),
    "artist": pa.array(each(lambda i: f"Artist {i % 5}"), pa.string()),
    "tags": pa.array(each(lambda i: [f"t{i % 3}-{k}" for k in range(i % 4)], 5), pa.list_(pa.string())),
    "vector": pa.array(each(lambda i: [i + k / 4 for k in range(i % 3)], 11), pa.list_(pa.float32())),
}
songs = pa.table(
    list(song_columns.values()),
    pa.schema(
        [pa.field(name, values.type, nullable=name not in ("id", "artist")) for name, values in song_columns.items()]
    ).with_metadata({"made": "here"}),
)

# Pages of a few rows, so that lists and dictionaries go over many of them.
small = {"data_page_size": 256, "write_batch_size": 16, "row_group_size": 170}
for name, options in {
    "snappy-dictionary": {"compression": "snappy"},
    "zstd-plain-v2": {"compression": "zstd", "use_dictionary": False, "data_page_version": "2.0"},
    "gzip-checksums": {"compression": "gzip", "write_page_checksum": True},
    "brotli": {"compression": "brotli"},
    "uncompressed-delta": {
        "compression": "none",
        "use_dictionary": False,
        "column_encoding": {
            "id": "DELTA_BINARY_PACKED",
            "title": "DELTA_BYTE_ARRAY",
            "artist": "DELTA_LENGTH_BYTE_ARRAY",
            "vector.list.element": "BYTE_STREAM_SPLIT",
        },
    },
    "lz4": {"compression": "lz4"},
}.items():
    pq.write_table(songs, folder / f"{name}.parquet", **small, **options)

# Whole page, row groups as they come.
database = duckdb.connect()
database.register("songs", songs)
for codec in ("snappy", "zstd"):
    database.execute(f"COPY songs TO '{folder}/duckdb-{codec}.parquet' (FORMAT parquet, COMPRESSION {codec})")

types = pa.table(
    {
        "int8": pa.array(each(lambda i: i % 100 - 50), pa.int8()),
        "uint16": pa.array(each(lambda i: i * 200), pa.uint16()),
        "uint32": pa.array(each(lambda i: 4_000_000_000 + i, 9), pa.uint32()),
        "uint64": pa.array(each(lambda i: 2**62 + i), pa.uint64()),
        "float16": pa.array(each(lambda i: i / 8), pa.float16()),
        "float": pa.array(each(lambda i: i / 8, 4), pa.float32()),
        "decimal": pa.array(each(lambda i: decimal.Decimal(i) / 4), pa.decimal128(9, 2)),
        "day": pa.array(each(lambda i: datetime.date(1969, 12, 1) + datetime.timedelta(days=i)), pa.date32()),
        "micros": pa.array(each(lambda i: epoch + datetime.timedelta(microseconds=1500 * (i - 150))), pa.timestamp("us", "UTC")),
        "nanos": pa.array(each(lambda i: 1_000_000 * (i - 150) + 1), pa.timestamp("ns")),
        "boolean": pa.array(each(lambda i: i % 3 == 0, 13), pa.bool_()),
        "bytes": pa.array(each(lambda i: bytes([i % 256, 255])), pa.binary()),
        "fixed": pa.array(each(lambda i: bytes([i % 256, 1, 2])), pa.binary(3)),
        "uuid": pa.array(each(lambda i: uuid.UUID(int=i).bytes), pa.uuid()),
        "json": pa.array(each(lambda i: f'{{"i":{i}}}', 6), pa.json_(pa.string())),
        "doubles": pa.array(each(lambda i: [i / 4, 0.1]), pa.list_(pa.float64())),
        "fixed_vector": pa.array(each(lambda i: [i, -1 - i]), pa.list_(pa.float32(), 2)),
        "category": pa.array(each(lambda i: f"c{i % 3}"), pa.string()).dictionary_encode(),
        "struct": pa.array(each(lambda i: {"a": i, "b": "x"}), pa.struct({"a": pa.int32(), "b": pa.string()})),
        "map": pa.array(each(lambda i: [("k", i)]), pa.map_(pa.string(), pa.int32())),
        "numbers": pa.array(each(lambda i: [i]), pa.list_(pa.int32())),
        "big": pa.array(each(lambda i: decimal.Decimal(i)), pa.decimal128(30, 2)),
    }
)
pq.write_table(types, folder / "types.parquet", row_group_size=170)

pq.write_table(pa.table({"tags": [["a", None], ["b", "c"]]}), folder / "missing-element.parquet")
pq.write_table(songs.slice(0, 0), folder / "empty.parquet")
