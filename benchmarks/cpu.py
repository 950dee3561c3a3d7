"""Training steps on the CPU: this package's torch engine, plain and fast, against PyTorch's own autograd and others.

    hebb bench cpu [--nets simpnet deepernet] [--batch-size 500] [--rounds 7] [--threads 2] [--figure roofline.png]
    python benchmarks/cpu.py ...                                             the same

Every variant makes one update in turn on the same random images, and ratios are medians over the rounds of what one
round measured: a busy machine slows all of a round. Variants live in two processes that work alternately: one where the
C library's memory is as installed, and one where freed memory is kept (`sim.torch_memory`). Each peer thus runs at its
best and as it comes. Rule urfb against back-propagation with SGD, dropout on, no biases. Where other programs use the
processor too, `--clock processor --threads 1` measures what a step costs instead of how long it was kept waiting. The
limit by arithmetic counts every product of a dense layer, at the speed of a matrix product measured in the same round;
a step that skips products can pass it. The figure is a roofline: that speed, and the one at which memory is copied.
"""

import argparse
import importlib.util
import os
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # as a script, Python has put this file's folder first
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.limits import PRECISIONS, speed, work_of, yardsticks
from benchmarks.peers import PEERS, not_for, peers
from benchmarks.servers import Server, Variants, rounds, stop_all
from network.errors import BadInput
from network.spec import NetworkSpec

IMAGE, CLASSES = (3, 32, 32), 10
MEMORY = ("installed", "kept")
# What of `Settings` makes this package's variants; the first that is there is what all others are compared with.
OURS: dict[str, dict[str, Any]] = {
    "fast": {"kernels": "fast"},
    "plain": {"kernels": "plain"},
    "fast, bfloat16": {"kernels": "fast", "compute_dtype": "bfloat16"},
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of ``hebb bench cpu``."""
    parser.add_argument(
        "--nets", nargs="+", default=["simpnet", "deepernet"], metavar='PRESET|"NOTATION"', help="(simpnet deepernet)"
    )
    parser.add_argument("--batch-size", type=int, default=500, metavar="N", help="images of an update (%(default)s)")
    add_clock(parser, rounds=7)
    parser.add_argument(
        "--peers", nargs="+", choices=PEERS, default=list(PEERS), metavar="PEER", help=f"some of: {'; '.join(PEERS)}"
    )


def add_clock(parser: argparse.ArgumentParser, rounds: int) -> None:
    """The flags of everything that is measured in rounds."""
    parser.add_argument("--rounds", type=int, default=rounds, metavar="N", help="of all variants (%(default)s)")
    parser.add_argument(
        "--threads", type=int, default=os.cpu_count() or 1, metavar="N", help="of each variant (all processors)"
    )
    parser.add_argument(
        "--clock",
        choices=("wall", "processor"),
        default="wall",
        help="what to measure: time (default), or that of the processor, of all threads, on a busy machine",
    )


def check_torch() -> None:
    """Raise what makes the command say how torch is installed, where it is not there."""
    if importlib.util.find_spec("torch") is None:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")


def check_nets(nets: list[str]) -> None:
    """Raise `BadInput` for the first network that the peers cannot have."""
    for net in nets:
        why_not = not_for(NetworkSpec.parse(net, IMAGE, CLASSES))
        if why_not:
            raise BadInput(f"--nets {net}: {why_not}")


def check(options: argparse.Namespace) -> None:
    """Raise `BadInput` for what cannot be measured."""
    if min(options.rounds, options.batch_size, options.threads) < 1:
        raise BadInput("--rounds, --batch-size and --threads: expected 1 or more")
    check_nets(options.nets)
    check_torch()


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """All variants on all networks."""
    check(options)
    return {
        "threads": options.threads,
        "batch_size": options.batch_size,
        "rounds": options.rounds,
        "clock": options.clock,
        "load_before": os.getloadavg() if hasattr(os, "getloadavg") else None,
        "nets": {net: compare(net, options) for net in options.nets},
    }


def compare(net: str, options: argparse.Namespace) -> dict[str, Any]:
    """All variants on one network, one update each in turn."""
    servers: dict[str, Server] = {}
    try:
        for memory in MEMORY:
            arguments = net, options.batch_size, memory, tuple(options.peers)
            servers[memory] = Server(prepare, *arguments, threads=options.threads, clock=options.clock)
        seconds = rounds(servers, options.rounds)
    finally:
        stop_all(servers.values())
    skipped = {name: why for server in servers.values() for name, why in server.skipped.items()}
    return {**summary(NetworkSpec.parse(net, IMAGE, CLASSES), options.batch_size, seconds), "skipped": skipped}


def prepare(net: str, batch_size: int, memory: str, chosen: tuple[str, ...]) -> tuple[Variants, dict[str, str]]:
    """The variants of one process."""
    import torch

    from sim.torch_memory import keep_freed_memory

    spec = NetworkSpec.parse(net, IMAGE, CLASSES)
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (batch_size, *IMAGE), dtype=torch.uint8, generator=generator)
    labels = torch.randint(0, CLASSES, (batch_size,), generator=generator)
    if memory == "kept":
        keep_freed_memory()
    variants, skipped = peers(spec, images, labels, {name: PEERS[name] for name in chosen})
    if memory == "kept":  # as this package has it in any case
        for name, how in OURS.items():
            try:
                variants[name] = ours(spec, images, labels, how)
            except BadInput as error:
                skipped[name] = str(error)
        variants |= yardsticks()
    return variants, skipped


def ours(spec: NetworkSpec, images: Any, labels: Any, how: dict[str, Any], name: str = "torch") -> Callable[[], int]:
    """One update by an engine of this package, with these of its `Settings`."""
    from network.rules import make_rule
    from network.weights import Weights
    from sim.engine import Settings, open_engine

    settings = Settings(make_rule("urfb"), device="cpu", **how)
    engine = open_engine(name, spec, Weights.draw(spec, 0, dtype="float32"), settings)
    steps = iter(range(1 << 30))
    return lambda: int(engine.learn(images, labels, next(steps)))


def summary(spec: NetworkSpec, batch_size: int, seconds: dict[tuple[str, str], list[float]]) -> dict[str, Any]:
    """Medians, ratios to our fastest form, speeds as shares of the limits; and those limits."""
    measured = {name: seconds["kept", name] for name in [*(f"product {name}" for name in PRECISIONS), "copy"]}
    own = {precision: fastest(seconds, precision) for precision in PRECISIONS}
    baseline = own["float32"]
    assert baseline
    work = {name: work_of(spec, batch_size, name) for name in PRECISIONS}
    variants = {}
    for (memory, name), values in seconds.items():
        if name in measured:
            continue
        precision = precision_of(name)
        same = own[precision] or baseline
        limit = [work[precision].operations / speed("product", one) for one in measured[f"product {precision}"]]
        variants[f"{name}, memory {memory}"] = {
            "precision": precision,
            "milliseconds": round(1e3 * statistics.median(values), 1),
            "over_baseline": spread([a / b for a, b in zip(values, seconds[baseline], strict=True)]),
            "over_own": spread([a / b for a, b in zip(values, seconds[same], strict=True)]),
            "share_of_limit": spread([a / b for a, b in zip(limit, values, strict=True)]),
        }
    return {
        "baseline": f"{baseline[1]}, memory {baseline[0]}",
        "work": {name: {"operations": one.operations, "bytes": one.bytes} for name, one in work.items()},
        "speeds": {name: speed(name, statistics.median(values)) for name, values in measured.items()},
        "variants": variants,
    }


def fastest(seconds: dict[tuple[str, str], list[float]], precision: str) -> tuple[str, str] | None:
    """The first of `OURS` in this precision that could be measured."""
    return next(
        (("kept", name) for name in OURS if precision_of(name) == precision and ("kept", name) in seconds), None
    )


def precision_of(variant: str) -> str:
    """What the products of a variant are made in, by its name."""
    return "bfloat16" if "bfloat16" in variant else "float32"


def spread(values: list[float]) -> dict[str, float]:
    """The median, and between what the others lie."""
    return {
        "median": round(statistics.median(values), 3),
        "least": round(min(values), 3),
        "most": round(max(values), 3),
    }


def text(figures: dict[str, Any]) -> str:
    """The figures as a table for each network."""
    lines = []
    for net, found in figures["nets"].items():
        wide, baseline = max(map(len, found["variants"])), found["baseline"].split(",")[0]
        lines.append(
            f"{net}, batches of {figures['batch_size']}, {figures['threads']} threads, {figures['clock']} clock"
        )
        for precision, work in found["work"].items():
            by_products = 1e3 * work["operations"] / found["speeds"][f"product {precision}"]
            by_bytes = 1e3 * work["bytes"] / found["speeds"]["copy"]
            lines.append(
                f"{precision}: {work['operations'] / 1e9:.2f}e9 operations, {work['bytes'] / 1e9:.3f}e9 bytes; "
                f"as dense products {by_products:.1f} ms, as copies {by_bytes:.1f} ms"
            )
        lines += [
            "",
            f"{''.ljust(wide)}  {'ms':>8}  {'/ ' + baseline:>8}  {'least':>7}  {'most':>7}  {'/ own':>7}  of limit",
        ]
        for variant, one in found["variants"].items():
            ratio, own, share = one["over_baseline"], one["over_own"]["median"], one["share_of_limit"]["median"]
            lines.append(
                f"{variant.ljust(wide)}  {one['milliseconds']:8.1f}  {ratio['median']:8.2f}  {ratio['least']:7.2f}  "
                f"{ratio['most']:7.2f}  {own:7.2f}  {share:8.0%}"
            )
        lines += ["own: this package's form in the same precision"]
        lines += [f"skipped: {name}: {why}" for name, why in found["skipped"].items()] + [""]
    return "\n".join(lines).rstrip()


def draw(figures: dict[str, Any]) -> Any:
    """The roofline, a matplotlib figure."""
    from benchmarks.figures import roofline

    return roofline(figures)


if __name__ == "__main__":
    from sim.cli import main

    sys.exit(main(["bench", "cpu", *sys.argv[1:]]))
