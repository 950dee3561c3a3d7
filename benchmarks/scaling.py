"""Cost against size: time and memory of an update while one size of the network, the image or the batch grows.

    hebb bench scaling [--sweeps batch width ...] [--engines fast plain event] [--steps 4] [--figure scaling.png]
    python benchmarks/scaling.py ...                                         the same

Every point is a process of its own, whose peak memory is that of the point, above that of one with hardly any units.
Those of a sweep make one update each in turn, and medians of the rounds are reported. Random images, rule urfb, dropout
on, float32. An exponent is the slope of a straight line through the points in double logarithmic axes: cost ~
size^exponent. For time it is also given against the operations of dense layers (work), which need not grow as the size
does. The largest increase of time per operation from one point to the next would show a cliff. The last sweep is over
output-error circuits in the exact form, for 20 cycles each; its work is the number of circuits.
"""

import argparse
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

if __name__ == "__main__":  # as a script, Python has put this file's folder first
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.cpu import add_clock, check_torch, ours
from benchmarks.limits import work_of
from benchmarks.servers import Server, Variants, rounds, stop_all
from network.errors import BadInput
from network.spec import NetworkSpec

CLASSES, BATCH, SIDE = 10, 50, 32
SIMPNET = "Conv 32 5x5; Maxpool 3; Drop .8; Full 500; Drop .3; Output"
ENGINES = ("fast", "plain", "event")


@dataclass(frozen=True)
class Job:
    """What one point is.

    Attributes
    ----------
    size : int
        Of what the sweep is over.
    net : str
        In the paper's notation; empty for circuits, of which there are `size`.
    side, batch : int
        Pixels of an image in either direction; images of an update.
    """

    size: int
    net: str = SIMPNET
    side: int = SIDE
    batch: int = BATCH

    @property
    def spec(self) -> NetworkSpec:
        return NetworkSpec.parse(self.net, (3, self.side, self.side), CLASSES)

    @property
    def work(self) -> int:
        """Operations of an update; for circuits, how many there are."""
        return work_of(self.spec, self.batch).operations if self.net else self.size

    @property
    def units(self) -> int:
        return sum(node.units for node in self.spec.nodes) if self.net else self.size


def _deep(convolutions: int) -> str:
    return f"Conv 32 3x3; {'Conv 32 3x3; ' * (convolutions - 1)}Maxpool 3; Drop .5; Full 100; Output"


def _wide(channels: int) -> str:
    return f"Conv {channels} 5x5; Maxpool 3; Conv {channels} 3x3; Maxpool 3; Drop .5; Full {8 * channels}; Output"


# sweep: (what its size counts, its sizes, the job of a size)
SWEEPS: dict[str, tuple[str, tuple[int, ...], Callable[[int], Job]]] = {
    "batch": ("images of an update", (25, 50, 100, 200, 400), lambda n: Job(n, batch=n)),
    "image": ("pixels of an image", (256, 576, 1024, 2304, 4096), lambda n: Job(n, side=round(n**0.5))),
    "full": (
        "units of the full layer",
        (250, 500, 1000, 2000, 4000),
        lambda n: Job(n, SIMPNET.replace("Full 500", f"Full {n}")),
    ),
    "width": ("channels of every convolution", (8, 16, 24, 32, 64), lambda n: Job(n, _wide(n))),
    "depth": ("convolutions", (1, 2, 4, 8, 16), lambda n: Job(n, _deep(n))),
    "circuits": ("circuits", (1000, 10_000, 100_000, 1_000_000, 4_000_000), lambda n: Job(n, "")),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of ``hebb bench scaling``."""
    parser.add_argument("--sweeps", nargs="+", choices=SWEEPS, default=list(SWEEPS), help="(all)")
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES), help="(all)")
    parser.add_argument("--steps", type=int, default=4, metavar="N", help="sizes of a sweep, 2 to 5 (%(default)s)")
    add_clock(parser, rounds=3)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """All sweeps, one after the other."""
    if min(options.rounds, options.threads) < 1:
        raise BadInput("--rounds and --threads: expected 1 or more")
    if not 2 <= options.steps <= 5:
        raise BadInput(f"--steps {options.steps}: expected 2 to 5 sizes")
    check_torch()
    least = {engine: least_memory(engine, options) for engine in (*options.engines, "exact")}
    return {
        "threads": options.threads,
        "rounds": options.rounds,
        "clock": options.clock,
        "sweeps": {sweep: grow(sweep, options, least) for sweep in options.sweeps},
    }


def least_memory(engine: str, options: argparse.Namespace) -> float:
    """Peak memory of a process with hardly any units, MiB.

    One before it compiles what all others then load: a compiler's memory would be taken for that of a network.
    """
    net = "" if engine == "exact" else SIMPNET
    tiny = Job(2, net and "Conv 4 3x3; Maxpool 3; Drop .5; Full 4; Output", 8, 2)
    peak = 0.0
    for job in (Job(2, net, batch=2), tiny):
        server = Server(prepare, engine, job, threads=options.threads, clock=options.clock)
        try:
            rounds({engine: server}, 1)
            peak = server.memory()
        finally:
            server.stop()
    return peak


def grow(sweep: str, options: argparse.Namespace, least: dict[str, float]) -> dict[str, Any]:
    """One sweep: its points, and the exponents of every engine."""
    what, sizes, job_of = SWEEPS[sweep]
    jobs = [job_of(size) for size in sizes[: options.steps]]
    engines = list(options.engines) if jobs[0].net else ["exact"]
    servers: dict[str, Server] = {}
    try:
        for job in jobs:
            for engine in engines:
                made = Server(prepare, engine, job, threads=options.threads, clock=options.clock)
                servers[f"{engine} {job.size}"] = made
        found = rounds(servers, options.rounds)
        memory = {name: server.memory() for name, server in servers.items()}
    finally:
        stop_all(servers.values())
    points: list[dict[str, Any]] = [
        {"size": job.size, "work": job.work, "units": job.units, "images": job.batch} for job in jobs
    ]
    skipped = {engine: why for server in servers.values() for engine, why in server.skipped.items()}
    engines = [engine for engine in engines if engine not in skipped]
    for job, point in zip(jobs, points, strict=True):
        for engine in engines:
            name = f"{engine} {job.size}"
            seconds = statistics.median(found[name, engine])
            count = job.batch if job.net else job.size
            point[engine] = {
                "seconds": seconds,
                "images_per_second" if job.net else "circuits_per_second": count / seconds,
                "mib": memory[name] - least[engine],
            }
    exponents = {engine: exponents_of(points, engine) for engine in engines}
    return {"what": what, "points": points, "work": slope(points, "size", "work"), "engines": exponents,
            "skipped": skipped}  # fmt: skip


def prepare(engine: str, job: Job) -> tuple[Variants, dict[str, str]]:
    """One update of the job by an engine, the only variant of a process."""
    if engine == "exact":
        return {engine: circuits(job.size)}, {}
    import torch

    generator = torch.Generator().manual_seed(0)
    shape = job.batch, *job.spec.input_shape
    images = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    labels = torch.randint(0, CLASSES, (job.batch,), generator=generator)
    try:
        if engine == "event":
            return {engine: ours(job.spec, images.numpy(), labels.numpy(), {}, engine)}, {}
        return {engine: ours(job.spec, images, labels, {"kernels": engine})}, {}
    except BadInput as error:
        return {}, {engine: str(error)}


def circuits(count: int) -> Callable[[], Any]:
    """So many correct outputs for 20 cycles in the exact form, on one thread."""
    from circuits.exact import measure as run
    from circuits.limit_cycle import limit_cycle
    from circuits.parameters import OutputError

    p, generator = OutputError(), np.random.default_rng(0)
    s = generator.choice([-1.0, 1.0], count)
    h = s * generator.uniform(1.05 * p.S, 0.95 * p.M, count)
    closed = limit_cycle(p, [1, -1])
    duration = float(closed.first_crossing.max() + 20 * closed.period.max())
    return lambda: run(p, h, s, duration, since=2 * p.tau, threads=1)


def exponents_of(points: list[dict[str, Any]], engine: str) -> dict[str, Any]:
    """How time and memory of one engine grow, and where time per operation grows most."""
    rows = [{**point, **point[engine]} for point in points]
    per_work = [row["seconds"] / row["work"] for row in rows]
    increases = [after / before for before, after in pairwise(per_work)]
    worst = int(np.argmax(increases))
    return {
        "time": slope(rows, "size", "seconds"),
        "time_against_work": slope(rows, "work", "seconds"),
        "memory": slope(rows, "size", "mib"),
        "largest_increase_per_operation": increases[worst],
        "from_to": [rows[worst]["size"], rows[worst + 1]["size"]],
    }


def slope(rows: list[dict[str, Any]], x: str, y: str) -> float | None:
    """Of the straight line through the points in double logarithmic axes; None where one has no logarithm."""
    if min(row[y] for row in rows) <= 0:
        return None
    return float(np.polyfit(np.log([row[x] for row in rows]), np.log([row[y] for row in rows]), 1)[0])


def text(figures: dict[str, Any]) -> str:
    """A table for each sweep."""
    lines = []
    for sweep, found in figures["sweeps"].items():
        lines += [f"{sweep}: {found['what']}; work ~ size^{found['work']:.2f}", ""]
        engines = list(found["engines"])
        lines.append(f"{'size':>9}" + "".join(f"  {engine + ', ms':>11}  {'/s':>9}  {'MiB':>6}" for engine in engines))
        for point in found["points"]:
            line = f"{point['size']:>9}"
            for engine in engines:
                one = point[engine]
                speed = one.get("images_per_second") or one["circuits_per_second"]
                line += f"  {1e3 * one['seconds']:11.1f}  {speed:9.0f}  {one['mib']:6.0f}"
            lines.append(line)
        lines += [
            f"{engine}: time ~ size^{fit['time']:.2f} ~ work^{fit['time_against_work']:.2f}, memory "
            + ("too small to tell" if fit["memory"] is None else f"~ size^{fit['memory']:.2f}")
            + f"; time by work x {fit['largest_increase_per_operation']:.2f} from {fit['from_to'][0]} "
            f"to {fit['from_to'][1]}"
            for engine, fit in found["engines"].items()
        ]
        lines += [f"skipped: {engine}: {why}" for engine, why in found["skipped"].items()] + [""]
    return "\n".join(lines).rstrip()


def draw(figures: dict[str, Any]) -> Any:
    """Time and memory against size, a matplotlib figure."""
    from benchmarks.figures import cost_against_size

    return cost_against_size(figures)


if __name__ == "__main__":
    from sim.cli import main

    sys.exit(main(["bench", "scaling", *sys.argv[1:]]))
