"""Writes fixtures.json: values as Python's own pickle writes them, in each protocol, as base64.

    python make-fixtures.py          # Python 3.8 or newer, with numpy
"""

import base64
import collections
import datetime as dt
import json
import pathlib
import pickle

import numpy as np

shared = ["coco", "val2017"]
itself: list = [1]
itself.append(itself)


class Custom:
    def __init__(self):
        self.colour = "red"


class Runs:
    def __reduce__(self):
        return (print, ("executed",))


VALUES = {
    "scalars": [None, True, False, 0, -1, 255, 65_535, 2**31 - 1, -(2**31), 2**53 - 1, 0.5, -1e300],
    "big_integers": [2**53, -(2**53), 2**63, -(2**63), 10**100, -(10**700)],
    "floats": [float("inf"), float("-inf"), float("nan"), -0.0, 1e-320],
    "texts": ["", "plain", "Zoë ☂ 𝄞", "line\nbreak \\u0041 'q' \"d\"", "a" * 300, "\ufeffbom", "bad\udc80name"],
    "bytes": [b"", b"plain", bytes(range(256)), b"\xff" * 300],
    "bytearray": [bytearray(), bytearray(b"\x00\x80\xff")],
    "containers": {"list": [1, [2, []]], "tuple": (1, (2, ()), 3, 4, 5), 7: {}, None: "none", (1, 2): "pair"},
    "long_list": list(range(1_050)),
    "long_dict": {i: str(i) for i in range(1_050)},
    "sets": [set(), {1, 2, 3}, frozenset(), frozenset(["a", "b"]), {frozenset([1])}],
    "ordered": collections.OrderedDict([("z", 1), ("a", collections.OrderedDict())]),
    "complex": complex(1.5, -2),
    "shared": [shared, shared],
    "records": [{"image_path": f"p/{i}.jpg", "tags": shared, "width": 640 + i} for i in range(3)],
    "datetimes": [
        dt.datetime(2024, 2, 29, 12, 34, 56, 789),
        dt.datetime(2024, 1, 1),
        dt.datetime(1, 1, 1, tzinfo=dt.timezone.utc),
        dt.datetime(9999, 12, 31, 23, 59, 59, 999_999, dt.timezone(dt.timedelta(hours=-5, minutes=-30))),
        dt.datetime(2024, 10, 27, 2, 30, fold=1),
        dt.date(2024, 2, 29),
        dt.time(23, 59, 1, 5),
        dt.time(1, tzinfo=dt.timezone(dt.timedelta(seconds=19))),
        dt.timedelta(days=-1, seconds=5, microseconds=250_000),
        dt.timezone.utc,
    ],
    "numpy_scalars": [
        np.int64(-5),
        np.uint64(2**64 - 1),
        np.int8(-128),
        np.float32(0.5),
        np.float16(1.5),
        np.float64(1e300),
        np.bool_(True),
        np.str_("Zoë"),
        np.bytes_(b"ab"),
        np.datetime64("2024-02-29T12:00:00.000001", "us"),
        np.datetime64("1969-12-31", "D"),
        np.datetime64("2024-05", "M"),
        np.datetime64("NaT", "s"),
        np.timedelta64(-3, "h"),
    ],
    "numpy_arrays": {
        **{
            name: np.array([0, 1, 2, 100], dtype=name)
            for name in ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", ">i2", ">i4", ">i8", ">f4", ">f8"]
        },
        "bool": np.array([True, False, True]),
        "str": np.array(["a", "Zoë", "", "𝄞x"]),
        ">str": np.array(["ab", "c"], dtype=">U2"),
        "bytes": np.array([b"a", b"", b"a\x00b"]),
        "object": np.array([None, "x", 1, ["y"]], dtype=object),
        "time": np.array(["2024-02-29T12:00:00.5", "NaT"], dtype="datetime64[ms]"),
        "span": np.array([5, -5], dtype="timedelta64[s]"),
        "empty": np.zeros((0, 384), dtype="f4"),
        "matrix": np.arange(6, dtype="i4").reshape(2, 3),
        "fortran": np.asfortranarray(np.arange(24, dtype="i4").reshape(2, 3, 4)),
        "slice": np.arange(10, dtype="i4")[::3],
        "no_dimension": np.array(7, dtype="i4"),
        "twice": [shared_array := np.array([1.5], dtype="f4"), shared_array],
    },
    "refused_class": Custom(),
    "refused_function": Runs(),
    "refused_defaultdict": collections.defaultdict(list, a=[1]),
    "refused_path": pathlib.PurePosixPath("a/b"),
    "refused_complex_array": np.array([1j]),
    "refused_records": np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
    "refused_dtype": np.dtype("f4"),
    "refused_recursive": itself,
}


def main() -> None:
    written = {
        name: [base64.b64encode(pickle.dumps(value, protocol)).decode() for protocol in range(6)]
        for name, value in VALUES.items()
    }
    content = {"python": ".".join(map(str, __import__("sys").version_info[:3])), "numpy": np.__version__, "values": written}
    target = pathlib.Path(__file__).with_name("fixtures.json")
    target.write_text(json.dumps(content, indent=0) + "\n")


main()
