"""What happens to files: Hypothesis strategies that damage a whole one, or forge one that asks for too much."""

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from hypothesis import strategies as st

# Numbers that break readers: ends of ranges, in every width, and what a count is taken for when it wraps.
NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63 - 1, 2**64 - 1)
# Values that stand where others are expected, in JSON and TOML.
ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 10**18, 10**30, -(10**30), 1e308, -1e-308, float("nan"), float("inf"), "", "x", "\0",
    "nan", "../..", "W/1", "é\u2028", "9" * 5000, [], [1], [[]], {}, {"a": None},
)  # fmt: skip
DEPTH = 100_000  # of brackets within brackets: deeper than any parser recurses


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """One to four slips: bits that flip, numbers written over, parts lost, doubled or put in."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        end = len(data)
        if not end:
            break
        near = min(end, 200) - 1  # headers stand at the beginning, directories of archives at the end
        at = draw(st.one_of(st.integers(0, near), st.integers(end - 1 - near, end - 1), st.integers(0, end - 1)))
        slip = draw(st.sampled_from(("flip", "number", "cut", "lose", "double", "insert")))
        if slip == "flip":
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif slip == "number":
            width, order = draw(st.sampled_from((1, 2, 4, 8))), draw(st.sampled_from(("little", "big")))
            number = draw(st.sampled_from(NUMBERS)) % (1 << 8 * width)
            data[at : at + width] = number.to_bytes(width, order)
        elif slip == "cut":
            del data[at:]
        else:
            length = draw(st.integers(1, 64))
            part = bytes(data[at : at + length])
            if slip == "lose":
                del data[at : at + length]
            else:
                data[at:at] = part if slip == "double" else draw(st.binary(min_size=1, max_size=64))
    return bytes(data)


@st.composite
def altered(draw: st.DrawFn, value: Any) -> Any:
    """A value of JSON with one odd value somewhere inside, or one key lost or called otherwise."""
    if isinstance(value, dict) and value and draw(st.integers(0, 9)):
        key = draw(st.sampled_from(sorted(value)))
        rest = {name: other for name, other in value.items() if name != key}
        kind = draw(st.sampled_from(("within", "within", "within", "lost", "renamed", "added")))
        if kind == "within":
            return {name: draw(altered(other)) if name == key else other for name, other in value.items()}
        if kind == "lost":
            return rest
        name = draw(st.one_of(st.text(max_size=8), st.sampled_from(("check/1", "__dict__/1", "W/0", "tau/W", "R/99"))))
        return {**(value if kind == "added" else rest), name: value[key]}
    if isinstance(value, list) and value and draw(st.integers(0, 9)):
        at = draw(st.integers(0, len(value) - 1))
        return [draw(altered(other)) if k == at else other for k, other in enumerate(value)]
    return draw(st.sampled_from(ODD))


def nested(opening: str, closing: str, inside: str = "1") -> str:
    """Brackets within brackets, deeper than anyone recurses."""
    return opening * DEPTH + inside + closing * DEPTH


class Canary:
    """Leaves a folder behind if it is ever unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        import os

        return os.mkdir, (self.path,)


def arrays_file(arrays: Mapping[str, Any], compressed: bool = False) -> bytes:
    """An ``.npz``; arrays of objects are pickled."""
    buffer = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(buffer, **arrays)  # pyright: ignore[reportArgumentType]
    return buffer.getvalue()


@st.composite
def odd_array(draw: st.DrawFn, like: np.ndarray, canary: str) -> Any:
    """An array of another shape, dtype or content than `like`."""
    kind = draw(st.sampled_from(("dtype", "value", "shape", "order", "objects", "records", "number", "text")))
    if kind == "dtype":
        names = ("?", "i1", "u8", "f2", ">f8", "g", "c16", "S3", "U2", "M8[s]", "m8", "V0", "S0", "V4")
        return np.zeros(like.shape, draw(st.sampled_from(names)))
    if kind == "value":
        odd = like.copy().ravel()
        if odd.size:
            values = (np.nan, np.inf, 1e300, -1.0, 0.0, 2.0**63, 1e-320)
            with np.errstate(all="ignore"):
                odd[draw(st.integers(0, odd.size - 1))] = np.float64(draw(st.sampled_from(values))).astype(like.dtype)
        return odd.reshape(like.shape)
    if kind == "shape":
        shape = draw(st.lists(st.sampled_from((0, 1, 2, 3, 5)), max_size=6))
        return np.ones(shape, like.dtype)
    if kind == "order":
        return np.asfortranarray(like[..., ::-1] if like.ndim else like)
    if kind == "objects":
        return np.array([Canary(canary), None], dtype=object)
    if kind == "records":
        return np.zeros(like.shape, [("a", "f8"), ("b", "O" if draw(st.booleans()) else "i4", (2,))])
    if kind == "number":
        return np.asarray(draw(st.sampled_from((0, -1, 10**18, 1.5, True))))
    return np.asarray(draw(st.sampled_from(("", "{}", "[]", "null", "1", nested("[", "]")[: 2 * DEPTH + 1]))))


_HEADERS = (
    "{'descr': '<f8', 'fortran_order': False, 'shape': (1152921504606846975,), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296, 64), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 4), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (100000000,), }",
    "{'descr': '<f8', 'fortran_order': True, 'shape': (1.5, 2), }",
    "{'descr': '|V0', 'fortran_order': False, 'shape': (4611686018427387904,), }",
    "{'descr': '|S2147483647', 'fortran_order': False, 'shape': (9,), }",
    "{'descr': ('<f8', (100000000,)), 'fortran_order': False, 'shape': (2,), }",
    "{'descr': [('a', '<f8', (1000000000,))], 'fortran_order': False, 'shape': (2,), }",
    "{'descr': '|O', 'fortran_order': False, 'shape': (2,), }",
    "{'descr': 'no such thing', 'fortran_order': False, 'shape': (2,), }",
    "{'descr': [('a', 'O')], 'fortran_order': False, 'shape': (2,), }",
    "{'shape': (2,)}",
    "[1]",
    "__import__('os').mkdir('/canary')",
    "(" * 5000 + ")" * 5000,
    "{'descr': '<f8', 'fortran_order': False, 'shape': " + "-" * 9000 + "1}",
)  # fmt: skip


def npy(header: str, data: bytes, version: int = 1) -> bytes:
    """A ``.npy`` that begins with this header, whatever it says."""
    text = header.encode()
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text + data


def bomb(announced: int) -> tuple[bytes, int]:
    """Deflated zeros, made without making them; and the sum of the ones that were."""
    some = 1 << 20
    press = zlib.compressobj(9, zlib.DEFLATED, -15)
    part = press.compress(bytes(some)) + press.flush(zlib.Z_FULL_FLUSH)  # stands alone: it can be repeated
    return part * max(1, announced // some) + press.flush(), zlib.crc32(bytes(some))


def bomb_file(name: str, announced: int, said: int | None = None) -> bytes:
    """An ``.npz`` of less than a thousandth of what it unpacks to; its directory says `said` where that is given."""
    header = npy(f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({announced // 8},), }}", b"")
    stored = io.BytesIO()
    with zipfile.ZipFile(stored, "w") as archive:
        archive.writestr("note.npy", b"")
    body, crc = bomb(announced)
    block = bytes([0]) + struct.pack("<HH", len(header), len(header) ^ 0xFFFF) + header  # stored, then the zeros
    data, size = block + body, len(header) + announced if said is None else said
    size &= 0xFFFFFFFF
    file = f"{name}.npy".encode()
    common = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 33, crc, len(data), size, len(file), 0)
    local = b"PK\3\4" + common + file + data
    entry = b"PK\1\2" + struct.pack("<H", 20) + common + struct.pack("<HHHII", 0, 0, 0, 0, 0) + file
    end = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(entry), len(local), 0)
    return local + entry + end


@st.composite
def forged_npz(draw: st.DrawFn, arrays: Mapping[str, np.ndarray], canary: str) -> bytes:
    """An ``.npz`` somebody made by hand: odd arrays, headers that lie, archives that unpack to gigabytes."""
    name = draw(st.sampled_from(sorted(arrays)))
    kind = draw(st.sampled_from(("array", "array", "array", "renamed", "header", "bomb", "raw", "many")))
    if kind == "array":
        return arrays_file({**arrays, name: draw(odd_array(arrays[name], canary))}, draw(st.booleans()))
    if kind == "renamed":
        rest = {key: value for key, value in arrays.items() if key != name}
        odd = draw(st.one_of(st.text("WRx/0123456789.\0é-", max_size=9), st.sampled_from(("W/", "W/0", "R/1/2"))))
        return arrays_file({**rest, odd.replace("\0", "") or "_": arrays[name]})
    if kind == "header":
        buffer = io.BytesIO(arrays_file({key: value for key, value in arrays.items() if key != name}))
        with zipfile.ZipFile(buffer, "a", draw(st.sampled_from((zipfile.ZIP_STORED, zipfile.ZIP_LZMA)))) as archive:
            text = draw(st.sampled_from(_HEADERS))
            data, version = bytes(draw(st.integers(0, 64))), draw(st.sampled_from((1, 2, 3)))
            archive.writestr(f"{name}.npy", npy(text, data, version))
        return buffer.getvalue()
    if kind == "bomb":
        announced = draw(st.sampled_from((1 << 30, 1 << 34)))
        return bomb_file(name, 1 << 30, draw(st.sampled_from((None, announced, 100, 0))))
    if kind == "many":
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for k in range(draw(st.sampled_from((2000, 20)))):
                archive.writestr(f"W/{k}.npy" if k % 2 else f"../../{k}", b"")
        return buffer.getvalue()
    nothing = (b"", b"PK\3\4", b"PK\5\6" + bytes(18), b"\x80\4.", npy(_HEADERS[0], b""), npy("", b""))
    return draw(st.sampled_from(nothing))


@st.composite
def forged_safetensors(draw: st.DrawFn, whole: bytes) -> bytes:
    """Weights with another header: names, shapes, places and epoch; with the checksum, or as if it had never been."""
    length = int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8 : 8 + length])
    if draw(st.booleans()):
        header["__metadata__"]["epoch"] = header["__metadata__"]["epoch"].split()[0]
    text = json.dumps(draw(altered(header)) if draw(st.integers(0, 19)) else nested("[", "]")).encode()
    said = len(text) if draw(st.integers(0, 9)) else draw(st.sampled_from(NUMBERS))
    return said.to_bytes(8, "little") + text + whole[8 + length :]
