"""Measure speeds as ratios: every round runs all variants in turn, so that a busy machine slows them all.

examples:
  hebb bench cpu                                            training steps against PyTorch's autograd
  hebb bench cpu --nets simpnet --rounds 15 --json cpu.json
  hebb bench cpu --clock processor --threads 1              where other programs use the machine too
"""

import argparse
import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from network.errors import BadInput
from network.spec import NetworkSpec
from sim.cli.parser import add_json, report

BENCHMARKS = ("cpu",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=BENCHMARKS, help="what to measure")
    _module("cpu").add_arguments(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    module = _module(args.what)
    if min(args.rounds, args.batch_size, args.threads) < 1:
        raise BadInput("--rounds, --batch-size and --threads: expected 1 or more")
    for net in args.nets:
        spec = NetworkSpec.parse(net, module.IMAGE, 10)
        why_not = module.not_for(spec)
        if why_not:
            raise BadInput(f"--nets {net}: {why_not}")
    figures = module.measure(args)
    report(args, figures, _text(figures))
    return 0


def _text(figures: dict[str, Any]) -> str:
    """The figures as a table for each network."""
    lines = []
    for net, found in figures["nets"].items():
        wide = max(map(len, found["variants"]))
        lines += [
            f"{net}, batches of {figures['batch_size']}, {figures['threads']} threads, {figures['clock']} clock",
            "",
        ]
        lines.append(f"{''.ljust(wide)}  {'ms':>8}  {'/ fast':>8}  {'least':>7}  {'most':>7}  {'of limit':>8}")
        for variant, one in found["variants"].items():
            ratio, share = one["over_fast"], one["share_of_dense_limit"]["median"]
            lines.append(
                f"{variant.ljust(wide)}  {one['milliseconds']:8.1f}  {ratio['median']:8.2f}  {ratio['least']:7.2f}  "
                f"{ratio['most']:7.2f}  {share:8.0%}"
            )
        lines.append("")
    return "\n".join(lines).rstrip()


def _module(name: str) -> ModuleType:
    """A script of ``benchmarks/``, which is part of the source tree and not of the installed package."""
    root = str(Path(__file__).resolve().parents[2])
    sys.path.insert(0, root)
    try:
        return importlib.import_module(f"benchmarks.{name}")
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "benchmarks":
            raise
        raise BadInput(f"benchmarks/{name}.py is not there: hebb bench runs from a checkout of the source") from None
    finally:
        sys.path.remove(root)
