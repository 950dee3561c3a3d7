"""Whole files, of which the damaged ones are made, and what a target of the fuzzer is."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from network.interchange import Step, write_step
from network.rules import make_rule
from network.spec import NetworkSpec
from network.weights import Weights
from tests.robust.damage import arrays_file
from tests.robust.guard import command

NET = "Conv 2 3x3; Maxpool 2; Full 3; Output"
SMALL = ("--engine", "reference", "--dtype", "float64", "--quiet")


@dataclass(frozen=True)
class Target:
    """One kind of input.

    Attributes
    ----------
    inputs : SearchStrategy
    call : callable
        Puts an input where it is read, and returns what reads it and gives an exit code.
    asks : bool
        As of `tests.robust.guard.answer`.
    """

    inputs: st.SearchStrategy[Any]
    call: Callable[[Any], Callable[[], int]]
    asks: bool = False


class Files:
    """A step, its trace, a data set and a run, in a folder. One called ``canary`` beside them is one too many."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.canary, self.last = folder, str(folder / "canary"), ""
        self._number = count()
        rng = np.random.default_rng(0)
        spec = NetworkSpec.parse(NET, (1, 5, 5), 3)
        weights = Weights.draw(spec, 0, make_rule("urfb"), connectivity=0.5)
        self.step = folder / "step.npz"
        write_step(self.step, Step(rng.random((2, 1, 5, 5)), np.array([0, 2]), weights))
        self.trace = folder / "trace.npz"
        engine = ("--engine", "reference", "--in", str(self.step), "--out", str(self.trace))
        assert command("step", "--net", NET, *engine)() == 0
        self.labels = np.arange(60) % 3
        self.pixels = rng.integers(0, 256, (60, 5, 5), dtype=np.uint8)
        self.data = folder / "data.npz"
        self.data.write_bytes(arrays_file({"images": self.pixels, "labels": self.labels}))
        self.run = folder / "run"
        words = (*SMALL, "--net", NET, "--data", str(self.data), "--epochs", "2", "--concordance")
        assert command("train", *words, "--out", str(self.run))() == 0

    def new(self) -> str:
        """A folder for what a command writes; the one before is removed."""
        if self.last:
            shutil.rmtree(self.last, ignore_errors=True)
        self.last = str(self.folder / f"out{next(self._number)}")
        return self.last
