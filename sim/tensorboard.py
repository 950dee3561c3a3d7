"""The rows of a run as scalars for TensorBoard: one event file in the run's folder, which ``--logdir runs`` finds.

``error/train``, ``error/validation``, ``error/test``, ``images_per_second``, and ``alignment/<i>`` and whatever else is
measured layer by layer, over the epochs. The file only ever grows while a run goes on, so that a TensorBoard that looks
on sees each epoch as it ends. What a run that was killed had written beyond its last saved epoch is cut off when it is
resumed: no epoch is there twice, and none is missing.
"""

import importlib
import io
import math
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from network.errors import BadInput
from sim import ranks
from sim.run_folder import EVENTS, RunFolder

VERSION = "brain.Event:2"  # of the format, which its first record names


def check_tensorboard() -> None:
    """`BadInput` where the package is not installed, with the command that installs it."""
    _part("compat.proto.event_pb2")


def open_board(folder: RunFolder, rows: Iterable[Mapping[str, Any]]) -> "Board | None":
    """The event file of a run; of the processes that share one only the first has it."""
    return Board(folder, rows) if ranks.is_first() else None


class Board:
    """The event file of one run.

    Parameters
    ----------
    folder : RunFolder
    rows : iterable of mapping
        Of the epochs done before: the file is made to hold these and no others.

    Raises
    ------
    BadInput
        Where the package tensorboard is not installed.
    """

    def __init__(self, folder: RunFolder, rows: Iterable[Mapping[str, Any]]) -> None:
        self._event = _part("compat.proto.event_pb2").Event
        self._summary = _part("compat.proto.summary_pb2").Summary
        self._writer = _part("summary.writer.record_writer").RecordWriter
        self._path = folder.path / EVENTS
        rows = list(rows)
        kept = [record for record in self._records() if self._event.FromString(record).step <= len(rows)]
        written = {self._event.FromString(record).step for record in kept}
        if not kept:
            kept = [self._event(wall_time=time.time(), file_version=VERSION).SerializeToString()]
        content = self._framed(kept)
        if not self._path.exists() or self._path.stat().st_size != len(content):
            folder.write(EVENTS, content)
        self._append(row for row in rows if row["epoch"] not in written)

    def write(self, row: Mapping[str, Any]) -> None:
        """Add an epoch."""
        self._append([row])

    def _append(self, rows: Iterable[Mapping[str, Any]]) -> None:
        content = self._framed(self._of(row) for row in rows)
        with self._path.open("ab") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    def _of(self, row: Mapping[str, Any]) -> bytes:
        values = [self._summary.Value(tag=tag, simple_value=value) for tag, value in scalars(row)]
        event = self._event(wall_time=time.time(), step=row["epoch"], summary=self._summary(value=values))
        return event.SerializeToString()

    def _records(self) -> Iterator[bytes]:
        """What is in the file, up to a record that was not finished."""
        if self._path.exists():
            yield from _part("backend.event_processing.event_file_loader").RawEventFileLoader(str(self._path)).Load()

    def _framed(self, records: Iterable[bytes]) -> bytes:
        content = io.BytesIO()
        writer = self._writer(content)
        for record in records:
            writer.write(record)
        return content.getvalue()


def scalars(row: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """A row of ``metrics.jsonl`` as tags and values; what was not measured is left out."""
    for name, value in row.items():
        tag = f"error/{name.removesuffix('_error')}" if name.endswith("_error") else name
        values = {f"{tag}/{k}": each for k, each in enumerate(value, 1)} if isinstance(value, list) else {tag: value}
        for each, number in values.items():
            if name != "epoch" and isinstance(number, int | float) and math.isfinite(number):
                yield each, float(number)


def _part(name: str) -> Any:
    """A module of the package tensorboard, imported when it is needed."""
    try:
        return importlib.import_module(f"tensorboard.{name}")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "tensorboard":
            raise
        raise BadInput(
            "tensorboard: needs the package 'tensorboard', which is not installed: "
            'pip install "hebb[tensorboard]"; or leave it away'
        ) from None
