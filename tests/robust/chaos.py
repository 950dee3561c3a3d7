"""Kill -9 at random moments of training, of a grid and of writing its page; then see that nothing is lost.

After every kill the folder must be whole: each file is read, and no epoch that was there is gone. Then the same command
goes on, is killed again, and in the end has come to the bits of one that was left alone. Half of the kills wait for the
moment a file is being written.

    python -m tests.robust.chaos --minutes 5
    python -m tests.robust.chaos --kills 20 --kind train --seed 3
"""

import argparse
import importlib
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sim.run_folder import CONFIG, METRICS, WEIGHTS, RunFolder, read_weights

NET = "Conv 4 3x3; Maxpool 3; Drop .3; Full 20; Output"
EPOCHS = 4
CYCLE = 3  # kills that one run has to survive before it may finish
TRAIN = ("--net", NET, "--data", "digits", "--batch-size", "100", "--quiet", "--epochs", str(EPOCHS))
# kind: the words of its command
KINDS: dict[str, tuple[str, ...]] = {
    "train": ("train", *TRAIN, "--engine", "reference", "--dtype", "float64"),
    "torch": ("train", *TRAIN, "--engine", "torch", "--kernels", "plain"),
    "momentum": ("train", *TRAIN, "--engine", "torch", "--kernels", "plain", "--rule", "bp", "--momentum", ".9"),
    "grid": (
        "reproduce", "fig4", "--datasets", "digits", "--only", "protocol=URFB", "--seeds", "2", "--epochs", "2",
        "--workers", "1", "--quiet",
    ),
}  # fmt: skip


class Lost(AssertionError):
    """Something that was there is not there any more, or was never whole."""


@dataclass
class Survived:
    """What happened so far."""

    kills: int = 0
    while_writing: int = 0
    runs: int = 0


def start(words: Sequence[str]) -> int:
    """``hebb`` with these words in a process group of its own, forked off this one: its packages are imported."""
    child = os.fork()
    if child:
        return child
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    from sim.cli import main

    os._exit(main(list(words)))


def ended(process: int) -> int | None:
    """The exit code of a process, None while it runs."""
    found, status = os.waitpid(process, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if found else None


def finish(words: Sequence[str]) -> None:
    code = os.waitstatus_to_exitcode(os.waitpid(start(words), 0)[1])
    if code:
        raise Lost(f"hebb {' '.join(words)}: exit code {code}")


def torment(kind: str, folder: Path, kills: int, seconds: float, chance: random.Random, tally: Survived) -> None:
    """Start a command, kill it so often, let it finish.

    Parameters
    ----------
    kind : str
        Of `KINDS`.
    folder : Path
        What it writes.
    kills : int
    seconds : float
        How long it takes when it is left alone.
    chance : random.Random
    tally : Survived
        Counts.

    Raises
    ------
    Lost
        Where a file is not whole or an epoch is gone after a kill, or it cannot go on.
    """
    for _ in range(kills):
        before = epochs_of(folder)
        process = start(words_of(kind, folder))
        end = time.monotonic() + chance.uniform(0, seconds)
        writing = chance.random() < 0.5
        code = None
        while code is None and time.monotonic() < end:
            code = ended(process)
            if writing and _temporary(folder):
                break
            time.sleep(0.0005)
        if code is None:
            tally.while_writing += bool(_temporary(folder))
            os.killpg(process, signal.SIGKILL) if _leads(process) else os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            tally.kills += 1
        elif code:
            raise Lost(f"exit code {code} of hebb {' '.join(words_of(kind, folder))}")
        check_whole(folder, before)
    finish(words_of(kind, folder))
    tally.runs += 1


def _leads(process: int) -> bool:
    """Whether a child has come as far as having a group of its own."""
    return os.getpgid(process) == process


def _temporary(folder: Path) -> bool:
    return any(folder.rglob(".*.tmp"))


def words_of(kind: str, folder: Path) -> list[str]:
    """The command that begins this, or goes on with what is there."""
    words = [*KINDS[kind]]
    if words[0] == "train" and (folder / CONFIG).exists():
        return ["train", "--resume", str(folder), "--epochs", str(EPOCHS), "--quiet"]
    return [*words, "--out", str(folder)]


def runs_of(folder: Path) -> list[Path]:
    """The folders of runs below one, itself included, that have begun."""
    return sorted(path.parent for path in folder.rglob(CONFIG))


def epochs_of(folder: Path) -> dict[Path, int]:
    """The epochs on record of every run."""
    return {run: read_weights(run / WEIGHTS)[1] for run in runs_of(folder)}


def check_whole(folder: Path, before: dict[Path, int]) -> None:
    """Every run can be read, none has fewer epochs than `before`, and no file is half written."""
    now = epochs_of(folder)
    for run, epochs in before.items():
        if now.get(run, -1) < epochs:
            raise Lost(f"{run}: {epochs} epochs were there, and now {now.get(run)}")
    for run in now:
        RunFolder(run).read_config()
        RunFolder(run).read_epoch()
    for path in folder.rglob("*"):
        if path.is_dir() or path.name.startswith("."):
            continue
        content = path.read_bytes()
        end = {".html": b"</html>", ".svg": b"</svg>", ".json": b"}"}.get(path.suffix, b"")
        if not content.rstrip().endswith(end) or (path.suffix != ".jsonl" and not content):
            raise Lost(f"{path}: half written, {len(content)} bytes")


def check_same(folder: Path, alone: Path) -> None:
    """All runs have the bits of those that were never killed, and nothing is left lying about."""
    runs, theirs = runs_of(folder), runs_of(alone)
    if [run.name for run in runs if run != folder] != [run.name for run in theirs if run != alone]:
        raise Lost(f"{folder}: runs {[run.name for run in runs]}, not {[run.name for run in theirs]}")
    for run, other in zip(runs, theirs, strict=True):
        if (run / WEIGHTS).read_bytes() != (other / WEIGHTS).read_bytes():
            raise Lost(f"{run / WEIGHTS}: other bits than without a kill")
        if _timeless(run) != _timeless(other):
            raise Lost(f"{run / METRICS}: other rows than without a kill")
        left = [str(path) for path in run.glob(".*.tmp")]
        if left:
            raise Lost(f"left behind: {left}")


def _timeless(run: Path) -> list[dict[str, object]]:
    rows = [json.loads(line) for line in (run / METRICS).read_text().splitlines()]
    return [{name: value for name, value in row.items() if name != "images_per_second"} for row in rows]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    how_long = parser.add_mutually_exclusive_group()
    how_long.add_argument("--minutes", type=float, help="how long")
    how_long.add_argument("--kills", type=int, default=CYCLE, help=f"of each kind (default {CYCLE})")
    parser.add_argument("--kind", action="append", choices=KINDS, help="only this one")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default 0)")
    args = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    kinds = args.kind or list(KINDS)
    torch = [] if kinds == ["train"] else ["sim.torch_engine", "validation.reproduce"]
    for module in ["sim.train", "sim.reference_engine", "sim.figures", "sklearn.datasets", *torch]:
        importlib.import_module(module)  # once, for all the processes that are forked off
    chance, tallies = random.Random(args.seed), {kind: Survived() for kind in kinds}
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        alone: dict[str, tuple[Path, float]] = {}
        for kind in kinds:
            folder, first = Path(place) / f"{kind}-alone", time.monotonic()
            finish(words_of(kind, folder))
            alone[kind] = folder, time.monotonic() - first
        while True:
            for kind, tally in tallies.items():
                folder = Path(place) / f"{kind}-{tally.runs}"
                torment(kind, folder, CYCLE, alone[kind][1], chance, tally)
                check_same(folder, alone[kind][0])
            spent = time.monotonic() - began > 60 * args.minutes if args.minutes else True
            if spent and (args.minutes or all(tally.kills >= args.kills for tally in tallies.values())):
                break
    for kind, tally in tallies.items():
        print(f"{kind}: {tally.kills} kills survived, {tally.while_writing} of them while a file was written; "
              f"{tally.runs} runs to the bits of one left alone")  # fmt: skip
    kills, minutes = sum(tally.kills for tally in tallies.values()), (time.monotonic() - began) / 60
    print(f"{kills} kills in {minutes:.1f} minutes; nothing lost")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Lost as lost:
        sys.exit(f"LOST {lost}")
