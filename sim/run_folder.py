"""One folder per run. Every file in it appears whole or not at all, and together they always can be resumed.

``config.toml``          the run, resolved: what it would take to make it again
``metrics.jsonl``        one row an epoch
``weights.safetensors``  W, R and masks after the last finished epoch, and which epoch that was
``environment.txt``      versions, device, commit
``errors.svg``, ``alignment.svg``   the curves; ``concordance.svg``, ``forgetting.svg`` where that is measured

The metrics of an epoch are written before its weights. So a run killed between the two has a row too many, never one
too few, and the row is dropped when the epoch is run again; likewise the rows of all epochs after the last one that was
saved (`sim.saving`).
"""

import hashlib
import json
import math
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
from safetensors.numpy import save

from network.errors import BadInput
from network.spec import NetworkSpec
from network.weights import Weights
from sim import ranks
from sim.config import TrainConfig, config_text, make_config, read_config

CONFIG, METRICS, WEIGHTS, ENVIRONMENT = "config.toml", "metrics.jsonl", "weights.safetensors", "environment.txt"
RUNS = "runs"  # where runs are kept that are given no folder
EVENTS = "events.out.tfevents.hebb"  # of TensorBoard, which knows such files by their names
FIGURES = ("errors.svg", "alignment.svg", "concordance.svg", "forgetting.svg")


@dataclass
class RunFolder:
    """The folder of one run."""

    path: Path

    @classmethod
    def create(cls, path: str | Path) -> "RunFolder":
        """A new run's folder; it may exist, but hold no run.

        Raises
        ------
        BadInput
            Where it holds a run already, or cannot be made.
        """
        run = cls(Path(path))
        if not ranks.is_first():
            return run
        if (run.path / CONFIG).exists() or run._has_learned():
            raise BadInput(
                f"--out {path}: holds a run already, and no run is ever overwritten; "
                f"continue it with --resume {path}, or name another folder"
            )
        try:
            run.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(
                f"--out {path}: cannot be made ({error.strerror}); name a folder in a place of your own"
            ) from None
        return run

    def _has_learned(self) -> bool:
        """Whether there are weights of an epoch; a run that is killed before it has a config leaves those it drew."""
        try:
            return (self.path / WEIGHTS).exists() and read_weights(self.path / WEIGHTS)[1] > 0
        except BadInput:
            return True  # somebody's, whatever they are

    @classmethod
    def open(cls, path: str | Path, called: str = "--resume") -> "RunFolder":
        """The folder of a run that was started before; `BadInput` where there is none, naming it as it was `called`."""
        for name in (CONFIG, WEIGHTS):
            if not (Path(path) / name).is_file():
                raise BadInput(f"{called} {path}: there is no {name} in it; expected the folder of an earlier run")
        return cls(Path(path))

    def write(self, name: str, content: str | bytes) -> Path:
        """Write a file so that it is whole whenever it is there, even if the machine stops half way.

        Of the processes that share a run only the first writes.
        """
        if not ranks.is_first():
            return self.path / name
        handle, temporary = tempfile.mkstemp(dir=self.path, prefix=f".{name}.", suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content.encode() if isinstance(content, str) else content)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o644)
            os.replace(temporary, self.path / name)
        except BaseException as error:
            os.unlink(temporary)
            if isinstance(error, OSError) and error.filename is None:  # a full disk does not say which file
                error.filename = str(self.path / name)
            raise
        return self.path / name

    def write_config(self, config: TrainConfig) -> None:
        """Write the config, and clear away what a process that was killed left half written."""
        if ranks.is_first():
            for left in self.path.glob(".*.tmp"):
                left.unlink(missing_ok=True)
        self.write(CONFIG, config_text(config))

    def read_config(self) -> TrainConfig:
        return make_config(read_config(self.path / CONFIG))

    def write_epoch(self, rows: list[dict[str, Any]], weights: Weights) -> None:
        """Record everything up to the end of an epoch; `rows` are those of all epochs so far."""
        self.write_metrics(rows)
        self.write(WEIGHTS, weights_bytes(weights, epoch=len(rows)))

    def write_metrics(self, rows: list[dict[str, Any]]) -> None:
        """Record the rows alone, of epochs too whose weights are not kept."""
        self.write(METRICS, "".join(json.dumps(_json(row)) + "\n" for row in rows))

    def read_epoch(self) -> tuple[list[dict[str, Any]], Weights]:
        """The rows and weights of the last epoch that was recorded whole.

        Raises
        ------
        BadInput
            Naming the file that is damaged.
        """
        weights, epoch = read_weights(self.path / WEIGHTS)
        rows = self.read_metrics()[:epoch] if epoch else []
        layers = len(weights.W)
        if len(rows) != epoch or not all(_is_row(row, layers) and row["epoch"] == n for n, row in enumerate(rows, 1)):
            raise BadInput(
                f"{self.path / METRICS}: damaged, its rows are not epochs 1 to {epoch}, where {WEIGHTS} stands"
            )
        return rows, weights

    def read_metrics(self) -> list[dict[str, Any]]:
        """The rows of ``metrics.jsonl``."""
        path = self.path / METRICS
        try:
            return [json.loads(line) for line in path.read_text().splitlines()]
        except (OSError, ValueError, RecursionError) as error:
            raise BadInput(f"{path}: cannot be read ({error})") from None


def weights_bytes(weights: Weights, epoch: int) -> bytes:
    """Weights in safetensors form: ``W/<i>``, ``R/<i>``, ``mask_W/<i>`` and whatever else they hold; epoch, sum."""
    arrays = {name: np.ascontiguousarray(value) for name, value in weights.arrays().items()}
    return save(arrays, {"epoch": f"{epoch} {_sum(arrays)}"})  # one entry: of several the order would vary


def _sum(arrays: dict[str, np.ndarray]) -> str:
    """A checksum: a bit that has flipped on a disk may leave a number that looks like any other."""
    digest = hashlib.sha256()
    for name, value in sorted(arrays.items()):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(value).data)
    return digest.hexdigest()


def read_weights(path: Path) -> tuple[Weights, int]:
    """Weights and epoch from a safetensors file; `BadInput` where it is damaged."""
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            number, _, written = (file.metadata() or {})["epoch"].partition(" ")
            epoch = int(number)
            arrays = {name: file.get_tensor(name) for name in file.keys()}
        if written and written != _sum(arrays):
            raise ValueError("its numbers are not those that were written")
        weights = Weights.of(arrays)
    except (OSError, KeyError, ValueError, TypeError, AttributeError, safetensors.SafetensorError) as error:
        raise BadInput(f"{path}: damaged, or not the weights of a run ({error})") from None
    return weights, epoch


def discard(path: Path) -> None:
    """Remove the files that a run writes, and the folder if nothing else is in it."""
    for name in (CONFIG, METRICS, WEIGHTS, ENVIRONMENT, EVENTS, *FIGURES):
        (path / name).unlink(missing_ok=True)
    if not any(path.iterdir()):
        path.rmdir()


def unused_folder(spec: NetworkSpec, config: TrainConfig, within: str | Path = RUNS) -> Path:
    """A folder for a run that was given none: named after what it does, with a number where that is taken."""
    net = config.net.strip().lower() if config.net.strip().isidentifier() else f"net{len(spec.weighted)}"
    data = Path(config.data).stem or "data"
    words = [net, config.rule, data, *(word.replace(" ", "-") for word in config.variations), f"seed{config.seed}"]
    base = Path(within) / "-".join(words)
    path, count = base, 1
    while path.exists():
        count += 1
        path = base.with_name(f"{base.name}-{count}")
    return path


NUMBERS = ("train_error", "validation_error", "test_error", "images_per_second")
LARGEST = 1e12  # of any of them: no more can be drawn
LISTS = ("alignment", "alignment_angle")
# Only where they are asked for:
MAYBE_LISTS = ("delta_angle", "increment_angle", "sign_concordance")
BLOCKS, MAYBE_TABLE = "block_class", "block_error"


def _is_row(row: Any, layers: int) -> bool:
    """Whether this is a row of the metrics, as far as resuming and drawing need it; with so many layers."""

    def number(value: Any) -> bool:
        return value is None or (isinstance(value, int | float) and abs(value) < LARGEST)

    def numbers(value: Any) -> bool:
        return isinstance(value, list) and all(map(number, value))

    def by_layer(value: Any) -> bool:
        return numbers(value) and len(value) == layers

    return (
        isinstance(row, dict)
        and isinstance(row.get("epoch"), int)
        and all(row.get(name) is not None and number(row[name]) for name in NUMBERS)
        and all(by_layer(row.get(name)) for name in LISTS)
        and all(by_layer(row[name]) for name in MAYBE_LISTS if name in row)
        and numbers(row.get(BLOCKS, []))
        and isinstance(row.get(MAYBE_TABLE, []), list)
        and len(row.get(MAYBE_TABLE, [])) == len(row.get(BLOCKS, []))
        and all(map(numbers, row.get(MAYBE_TABLE, [])))
    )


def _json(row: dict[str, Any]) -> dict[str, Any]:
    """JSON has no NaN: what was not measured is null."""

    def clean(value: Any) -> Any:
        if isinstance(value, list):
            return [clean(each) for each in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    return {name: clean(value) for name, value in row.items()}
