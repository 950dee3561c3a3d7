"""One presentation as ``.npz`` files, so that anyone's implementation can be held against any engine.

In:
    ``images`` (N, C, H, W), ``labels`` (N,), ``W/<i>``, ``R/<i>``; optionally ``mask_W/<i>``, ``mask_R/<i>``, and of
    layers with batch normalisation ``gamma/<i>``, ``beta/<i>`` (1 and 0 where left out).
Out:
    ``h/<i>``, ``x/<i>``, ``delta/<i>``, ``dW/<i>``, ``dR/<i>``, ``ties``, ``meta`` (JSON).

i = 1, 2, ... counts only the layers with weights, from the input. Nothing is ever unpickled.
"""

import json
import os
import re
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib.format import MAGIC_PREFIX, read_array, read_array_header_1_0, read_array_header_2_0, read_magic

from network.bounds import check_unpacked
from network.errors import BadInput, did_you_mean
from network.layers import Output, shape_text
from network.notation import parse_notation
from network.presets import notation_of
from network.rules import Rule
from network.spec import NetworkSpec
from network.trace import StepTrace
from network.weights import Weights, check_follows_signs

_GROUPS = ("W", "R", "mask_W", "mask_R", "gamma", "beta", "mean", "deviation")


@dataclass(frozen=True)
class Step:
    """What a step file holds: images (N, C, H, W) and labels (N,) to present, and the weights to present them to."""

    images: np.ndarray
    labels: np.ndarray
    weights: Weights


def read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """All arrays of an ``.npz`` file; `BadInput` naming the file and the entry that cannot be read."""
    path = Path(path)
    if not path.is_file():
        raise BadInput(f"{path}: {'is a folder' if path.is_dir() else 'no such file'}; expected an .npz file")
    arrays: dict[str, np.ndarray] = {}
    name = ""
    try:
        with path.open("rb") as file:
            if file.read(len(MAGIC_PREFIX)) == MAGIC_PREFIX:
                raise BadInput(f"{path} is a single array; expected an .npz file, as numpy.savez writes")
            with zipfile.ZipFile(file) as archive:
                entries = archive.infolist()
                check_unpacked(path, sum(entry.file_size for entry in entries))
                for entry in entries:
                    name = entry.filename.removesuffix(".npy")
                    with archive.open(entry) as part:
                        _check_header(part, entry.file_size)
                    with archive.open(entry) as part:
                        arrays[name] = read_array(part, allow_pickle=False)
    except BadInput:
        raise
    except Exception as error:  # zipfile, zlib and numpy raise a dozen kinds for damaged files
        entry = f", entry {name!r}," if name else ""
        reason = "holds Python objects, which are never loaded" if isinstance(error, _Objects) else "cannot be read"
        raise BadInput(
            f"{path}{entry} {reason}; expected an .npz file of plain arrays, as numpy.savez writes"
        ) from None
    return arrays


class _Objects(ValueError):
    """An array of Python objects, which NumPy keeps as a pickle."""


def _check_header(file: IO[bytes], size: int) -> None:
    """Refuse an array that announces more than the `size` bytes it is kept in, before memory is taken for it."""
    version = read_magic(file)
    if version not in ((1, 0), (2, 0)):  # NumPy writes others for records with foreign letters in their names
        raise ValueError(f"version {version}")
    shape, _, dtype = (read_array_header_1_0 if version == (1, 0) else read_array_header_2_0)(file)
    if dtype.hasobject:
        raise _Objects
    if dtype.itemsize == 0 or dtype.shape or min(shape, default=0) < 0 or prod(shape) * dtype.itemsize > size:
        raise ValueError(f"{shape} of {dtype} in {size} bytes")


def read_step(
    path: str | Path,
    net: str,
    rule: Rule,
    *,
    gain: float | None = None,
    semantics: str = "paper",
    classes: int | None = None,
) -> tuple[NetworkSpec, Step]:
    """Read a presentation for `net`, and check all of it.

    Parameters
    ----------
    path : path of the ``.npz`` file
    net : str
        Preset or notation; its input shape is that of the images.
    rule : Rule
        Where feedback travels through W no R is needed, and any in the file is left aside, as is an R/1 that leads to
        the input. Where R is made from the signs of W, it is made as a run of seed 0 begins with it; any in the file
        must fit the rule.
    gain, semantics
        As `NetworkSpec.parse`.
    classes : int, optional
        Number of classes; as many as the last W has rows where not given.

    Raises
    ------
    BadInput
        Naming the file and the entry: missing, of the wrong shape or type, not finite, labels out of range.
    """
    arrays = read_arrays(path)
    with _naming(path):
        images = _images(arrays)
        labels = _labels(arrays, len(images))
        groups = {group: dict(_group(arrays, group)) for group in _GROUPS}
        for group in ("R", "mask_R"):
            if rule.symmetric:
                groups[group] = {}
            if rule.feedback_from == "above":
                groups[group].pop(1, None)  # it feeds nothing back: whatever it holds is left aside
        layers = parse_notation(notation_of(net))
        top = sum(layer.weighted for layer in layers)
        last = groups["W"].get(top)
        if last is None:
            raise BadInput(
                f"W/{top} is missing: the weights of the output layer '{Output.keyword}'{_nearest(arrays, top)}"
            )
        if last.ndim != 2:
            raise BadInput(f"W/{top} has shape {shape_text(last.shape)}; the output layer needs classes x units")
        if classes is not None and last.shape[0] != classes:
            raise BadInput(f"W/{top} has {last.shape[0]} rows, one a class, but {classes} classes were asked for")
        shape = (images.shape[1], images.shape[2], images.shape[3])
        spec = NetworkSpec.parse(net, shape, int(last.shape[0]), gain, semantics)
        weights = Weights.of({f"{group}/{i}": value for group, values in groups.items() for i, value in values.items()})
        weights.fill(spec)
        if rule.signs and not weights.R:
            weights.follow_signs(spec, rule.signs, seed=0, update=0)
        weights.check(spec, rule)
        check_follows_signs(spec, weights, rule)
        if labels.size and not (0 <= labels.min() and labels.max() < spec.classes):
            worst = int(np.argmax((labels < 0) | (labels >= spec.classes)))
            raise BadInput(
                f"labels[{worst}] is {labels[worst]}; with {spec.classes} classes (rows of W/{top}) "
                f"labels run from 0 to {spec.classes - 1}"
            )
    return spec, Step(images, labels, weights)


def write_step(path: str | Path, step: Step) -> None:
    """Write a presentation as `read_step` reads it."""
    arrays = {"images": step.images, "labels": step.labels}
    for group in _GROUPS:
        arrays |= {f"{group}/{i}": value for i, value in getattr(step.weights, group).items()}
    _save(path, arrays)


def write_trace(path: str | Path, trace: StepTrace) -> None:
    """Write what a presentation did; the file appears whole or not at all."""
    arrays = {f"{group}/{i}": value for group, values in trace.arrays().items() for i, value in values.items()}
    _save(path, {**arrays, "ties": np.asarray(trace.ties), "meta": np.asarray(json.dumps(trace.meta))})


def read_trace(path: str | Path) -> StepTrace:
    """Read what `write_trace`, or anyone's implementation, wrote; `ties` and `meta` may be left out."""
    arrays = read_arrays(path)
    trace = StepTrace()
    with _naming(path):
        for group in ("h", "x", "delta", "dW", "dR", "dgamma", "dbeta"):
            getattr(trace, group).update(_group(arrays, group))
        if not any(trace.arrays().values()):
            raise BadInput("holds no h/<i>, x/<i>, delta/<i>, dW/<i> or dR/<i>")
        ties = arrays.get("ties", np.asarray(0))
        if ties.size != 1 or ties.dtype.kind not in "iu":
            raise BadInput(f"'ties' is {ties.dtype} of shape {list(ties.shape)}; expected a count")
        trace.ties = int(ties.item())
        trace.meta = _meta(arrays.get("meta", np.asarray("{}")))
    return trace


def _meta(text: np.ndarray) -> dict[str, Any]:
    try:
        meta = json.loads(str(text))
    except (ValueError, RecursionError):
        raise BadInput("'meta' is not JSON") from None
    if not isinstance(meta, dict):
        raise BadInput(f"'meta' is {type(meta).__name__}; expected a JSON object, of names and values")
    return meta


@contextmanager
def _naming(path: str | Path) -> Iterator[None]:
    try:
        yield
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from None


def _images(arrays: dict[str, np.ndarray]) -> np.ndarray:
    images = _required(arrays, "images")
    if images.ndim != 4 or 0 in images.shape:
        raise BadInput(f"images has shape {shape_text(images.shape)}; expected N x C x H x W, none of them 0")
    if images.dtype.kind != "f":
        raise BadInput(f"images has dtype {images.dtype}; expected floating point (pixels divided by 255)")
    if not np.isfinite(images).all():
        where = tuple(int(k) for k in np.argwhere(~np.isfinite(images))[0])
        raise BadInput(f"images is {images[where]} at {list(where)}; every pixel must be a finite number")
    return images


def _labels(arrays: dict[str, np.ndarray], count: int) -> np.ndarray:
    labels = _required(arrays, "labels")
    if labels.shape != (count,):
        raise BadInput(
            f"labels has shape {shape_text(labels.shape)}; expected one label for each of the {count} images"
        )
    if labels.dtype.kind not in "iu":
        raise BadInput(f"labels has dtype {labels.dtype}; expected whole numbers, the class of each image")
    return labels.astype(np.int64)


def _required(arrays: dict[str, np.ndarray], name: str) -> np.ndarray:
    if name not in arrays:
        raise BadInput(f"'{name}' is missing{did_you_mean(name, arrays)}")
    return arrays[name]


def _group(arrays: dict[str, np.ndarray], group: str) -> Iterator[tuple[int, np.ndarray]]:
    for name, value in arrays.items():
        prefix, _, index = name.partition("/")
        if prefix == group:
            if not re.fullmatch("[1-9][0-9]{0,8}", index):
                raise BadInput(f"{name!r}: expected {group}/<i> with i = 1, 2, ... counting the layers with weights")
            if group.startswith("mask"):
                if value.dtype.kind not in "biuf" or not np.isin(value, (0, 1)).all():
                    raise BadInput(f"{name} has entries other than 0 and 1; expected 1 where there is a connection")
                value = value.astype(bool)
            yield int(index), value


def _nearest(arrays: dict[str, np.ndarray], index: int) -> str:
    there = sorted(name for name in arrays if name.startswith("W/"))
    return f"; the file has {', '.join(there)}" if there else f"; the file has no W/1 ... W/{index}"


def _save(path: str | Path, arrays: dict[str, np.ndarray]) -> None:
    path = Path(path)
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    except OSError as error:
        raise BadInput(f"{path}: cannot be written ({error.strerror}); expected a folder that exists") from None
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, **arrays)  # pyright: ignore[reportArgumentType]
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException as error:
        os.unlink(temporary)
        if isinstance(error, OSError):
            raise BadInput(f"{path}: cannot be written ({error.strerror})") from None
        raise
