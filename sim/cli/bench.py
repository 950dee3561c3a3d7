"""Measure speeds as ratios: every round runs all variants in turn, so that a busy machine slows them all.

examples:
  hebb bench cpu                                            training steps against PyTorch's autograd
  hebb bench cpu --nets simpnet --rounds 15 --json cpu.json --figure roofline.png
  hebb bench cpu --clock processor --threads 1              where other programs use the machine too
  hebb bench all --json all.json                            whatever this machine can run, each with its defaults

hebb bench WHAT --help lists the flags of each.
"""

import argparse
import importlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

from network.errors import BadInput
from sim.cli.parser import Parser, add_figure, add_json, report

# what: (module in benchmarks/, what it measures). A module offers `add_arguments(parser)`, `measure(options) -> dict`
# and `text(figures) -> str`, and, where there is something to draw, `draw(figures) -> Figure`. Importing it is light.
BENCHMARKS = {
    "cpu": ("cpu", "training steps on the CPU, against PyTorch's autograd and other peers"),
    "gpu": ("gpu", "training steps on a GPU, against the same"),
    "circuit": ("circuit", "circuits and their events, against Brian2 and heapq"),
    "local": ("local", "untied layers against tied ones, and against torch.sparse"),
    "dropins": ("dropins", "a ResNet-18 with feedback weights, against PyTorch's own layers and BioTorch's"),
    "scaling": ("scaling", "speed and memory against the size of the network, the image and the batch"),
}
ROOT = Path(__file__).resolve().parents[2]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    what = parser.add_subparsers(dest="what", metavar="WHAT", required=True, parser_class=_Flags)
    for name, (module, text) in BENCHMARKS.items():
        what.add_parser(name, help=text, module=module)
    add_json(what.add_parser("all", help="whatever this machine can run, each in a process of its own"))


def run(args: argparse.Namespace) -> int:
    if args.what == "all":
        return _run_all(args)
    module = _module(BENCHMARKS[args.what][0])
    figures = module.measure(args)
    if getattr(args, "figure", None):
        from circuits.figures import save

        save(module.draw(figures), args.figure)
    report(args, figures, module.text(figures))
    return 0


class _Flags(Parser):
    """The flags of one benchmark. Its module adds them when that one is asked for, so that no other is imported."""

    def __init__(self, module: str = "", **options: Any) -> None:
        super().__init__(**options)
        self._module = module

    def parse_known_args(self, *args: Any, **kwargs: Any) -> Any:
        if self._module:
            module, self._module = _module(self._module), ""
            self.description = module.__doc__
            module.add_arguments(self)
            add_json(self)
            if hasattr(module, "draw"):
                add_figure(self)
        found, unknown = super().parse_known_args(*args, **kwargs)
        if unknown:  # here, because the parser above knows none of these flags, and could not say which was meant
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return found, unknown


def _run_all(args: argparse.Namespace) -> int:
    """Every benchmark with its defaults, in processes of their own: what one leaves behind must not touch the next."""
    result: dict[str, dict[str, Any]] = {"figures": {}, "skipped": {}, "failed": {}}
    with tempfile.TemporaryDirectory() as folder:
        for what in BENCHMARKS:
            file = Path(folder) / f"{what}.json"
            command = [sys.executable, "-m", "sim.cli", "bench", what, "--json", str(file)]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode == 0:
                result["figures"][what] = json.loads(file.read_text())
                text = f"== {what}\n\n{done.stdout.rstrip()}\n"
            else:
                last = (done.stderr.strip().splitlines() or ["no message"])[-1].removeprefix("hebb bench: error: ")
                how, why = ("skipped", last) if done.returncode == 2 else ("failed", f"code {done.returncode}, {last}")
                result[how][what] = why
                text = f"== {what}: {how}: {why}\n"
            print(text, file=sys.stderr if args.json == "-" else sys.stdout, flush=True)
    report(args, result, ", ".join(f"{len(found)} {how}" for how, found in result.items()).replace("figures", "done"))
    return 1 if result["failed"] else 0


def _module(name: str) -> ModuleType:
    """A script of ``benchmarks/``, which is part of the source tree and not of the installed package."""
    if not (ROOT / "benchmarks" / f"{name}.py").is_file():
        where = "is not in this checkout" if (ROOT / "benchmarks").is_dir() else "is not installed with the package"
        raise BadInput(
            f"benchmarks/{name}.py {where}; hebb bench runs from a checkout of the source (pip install -e .)"
        )
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    return importlib.import_module(f"benchmarks.{name}")
