#!/usr/bin/env python3
"""Train one of the paper's networks on CIFAR-10: on a GPU where there is one.

    python sim/train_cifar.py --epochs 10                       simpnet by URFB, downloads CIFAR-10 if it is not here
    python sim/train_cifar.py --net deepernet --rule bph --data cifar100 --data-dir ~/data
    python sim/train_cifar.py --resume runs/simpnet-urfb-cifar10-seed0 --epochs 1000

The flags are those of ``hebb train``, which differs only in its defaults.
"""

import sys
from pathlib import Path

ROOT = str(Path(__file__).resolve().parent.parent)
if sys.path and Path(sys.path[0] or ".").resolve() == Path(ROOT, "sim"):
    sys.path[0] = ROOT  # run as a script, without installing: the packages lie beside this folder, not in it

from sim.cli import run_command  # noqa: E402


def main(argv: list[str] | None = None) -> int:
    """Run ``hebb train`` with this script's defaults; return its exit code."""
    argv = sys.argv[1:] if argv is None else argv
    return run_command("train", argv, prog="train_cifar.py", data="cifar10", net="simpnet", rule="urfb", device="auto")


if __name__ == "__main__":
    sys.exit(main())
