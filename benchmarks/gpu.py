"""Training steps on a GPU: this package's torch engine in its forms against PyTorch's own autograd and others.

    hebb bench gpu --quick                                          the essentials, in less than 8 minutes
    hebb bench gpu [--nets simpnet deepernet] [--batch-size 500] [--rounds 11] [--figure roofline.png]

Every variant makes the updates of one epoch in turn on the same random images on the device, and ratios are medians
over the rounds of what one round measured. Rule urfb against back-propagation with SGD, dropout on, no biases. Ours
gathers its batches by the epoch's order and counts errors; the peers learn one batch again and again. The limit by
bytes counts what an update must move that keeps nothing in a cache, at the speed of a copy measured in the same round,
and the limit by arithmetic every product of a dense layer at that of a matrix product; a step that keeps weights in the
cache, or skips products, can pass one. Last comes an epoch as `hebb train` makes it, with its evaluation, and what
writing the run takes. With `--quick` deepernet is not compiled, which takes minutes.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # as a script, Python has put this file's folder first
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.cpu import CLASSES, IMAGE, check_nets, check_torch, spread
from benchmarks.gpu_forms import OURS, Images, Learn, engines, learner
from benchmarks.gpu_peers import COMPILED, EAGER, compiled_of, theirs
from benchmarks.limits import BYTES, CPU, GPU, Sizes, speed, work_of, yardsticks
from benchmarks.peers import first_line
from network.errors import BadInput
from network.spec import NetworkSpec
from sim.cli.parser import note

YARDSTICKS = {"cuda": GPU, "cpu": CPU}
ROUNDS, QUICK_ROUNDS = 11, 5
EPOCHS = 3  # of those as in training, after a first one
PAPER = 1000  # epochs of 90 updates


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of ``hebb bench gpu``."""
    parser.add_argument(
        "--nets", nargs="+", default=["simpnet", "deepernet"], metavar='PRESET|"NOTATION"', help="(simpnet deepernet)"
    )
    parser.add_argument("--batch-size", type=int, default=500, metavar="N", help="images of an update (%(default)s)")
    parser.add_argument("--updates", type=int, default=90, metavar="N", help="of an epoch (%(default)s, as CIFAR-10's)")
    parser.add_argument("--rounds", type=int, metavar="N", help=f"of all variants ({ROUNDS}, quick {QUICK_ROUNDS})")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, and of simpnet only what is compiled")
    every = list(EAGER | COMPILED)
    parser.add_argument("--peers", nargs="*", choices=every, metavar="PEER", help=f"some of: {'; '.join(every)}")
    parser.add_argument("--forms", nargs="+", choices=OURS, metavar="FORM", help=f"of ours; some of: {'; '.join(OURS)}")
    parser.add_argument(
        "--compile-limit", type=int, default=150, metavar="S", help="seconds for each peer to compile in (%(default)s)"
    )
    parser.add_argument("--device", default="cuda", help="which GPU (%(default)s)")


def check(options: argparse.Namespace) -> None:
    """Raise `BadInput` for what cannot be measured."""
    if min(options.rounds or 1, options.batch_size, options.updates, options.compile_limit) < 1:
        raise BadInput("--rounds, --batch-size, --updates and --compile-limit: expected 1 or more")
    check_nets(options.nets)
    check_torch()
    import torch

    if options.device.startswith("cuda") and not torch.cuda.is_available():
        raise BadInput(f"torch {torch.__version__} sees no CUDA device here; hebb bench cpu measures the processor")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """All variants on all networks."""
    check(options)
    import torch

    options.rounds = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
    cuda = options.device.startswith("cuda")
    return {
        "device": torch.cuda.get_device_name(options.device) if cuda else options.device,
        "torch": torch.__version__,
        "batch_size": options.batch_size,
        "updates": options.updates,
        "rounds": options.rounds,
        "quick": options.quick,
        "nets": {net: compare(net, options) for net in options.nets},
    }


def compare(net: str, options: argparse.Namespace) -> dict[str, Any]:
    """All variants on one network."""
    spec, size, began = NetworkSpec.parse(net, IMAGE, CLASSES), options.batch_size, time.monotonic()
    data = Images.random(options.updates * size, IMAGE, CLASSES, options.device)
    precisions = [name for name in BYTES if name != "tfloat32" or options.device.startswith("cuda")]
    variants, groups, skipped = ours(spec, data, options)
    chosen = options.peers if options.peers is not None else list(EAGER) + compiled_of(net, options.quick)
    more, why = theirs(spec, data, {name: (EAGER | COMPILED)[name] for name in chosen}, size, options.compile_limit)
    variants, skipped = variants | more, skipped | why
    measures = yardsticks(options.device, precisions, sizes_of(options))
    seconds = measured_in_turn(variants, measures, options)
    found = summary(spec, options, seconds, precisions)
    for name, group in groups.items():
        found["variants"][name] |= as_in_training(group[0], data, options) if len(group) == 1 else {}
    note(f"{net}: measured in {time.monotonic() - began:.0f} s")
    return {**found, "skipped": skipped}


def sizes_of(options: argparse.Namespace) -> Sizes:
    """Of the yardsticks of a device."""
    return YARDSTICKS[options.device.split(":")[0]]


def ours(
    spec: NetworkSpec, data: Images, options: argparse.Namespace
) -> tuple[dict[str, Learn], dict[str, list[Any]], dict[str, str]]:
    """The forms that run here, their engines, and why the others do not."""
    variants, groups, skipped = dict[str, Learn](), dict[str, list[Any]](), dict[str, str]()
    for name in options.forms or OURS:
        try:
            groups[name] = engines(spec, OURS[name], options.device)
            variants[name] = learner(groups[name], data, options.batch_size)
            note(f"ready: {name}")
        except BadInput as error:
            skipped[name] = str(error)
            groups.pop(name, None)
        except Exception as error:  # of torch, Triton or the driver: the others may still run
            skipped[name] = f"{type(error).__name__}: {first_line(error)}"
            groups.pop(name, None)
    return variants, groups, skipped


def measured_in_turn(
    variants: dict[str, Learn], measures: dict[str, Callable[[], Any]], options: argparse.Namespace
) -> dict[str, list[float]]:
    """Seconds of an update by every variant, and of every yardstick, round by round after one that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in (*variants, *measures)}
    for number in range(options.rounds + 1):
        for name, learn in variants.items():
            seeds = OURS[name].seeds if name in OURS else 1
            taken = timed(lambda learn=learn: learn(options.updates), options.device) / (options.updates * seeds)
            seconds[name] += [taken] if number else []
        for name, one in measures.items():
            taken = timed(one, options.device)
            seconds[name] += [taken] if number else []
    return seconds


def timed(work: Callable[[], Any], device: str) -> float:
    """Seconds until the device has done it."""
    import torch

    wait = torch.cuda.synchronize if device.startswith("cuda") else lambda: None
    wait()
    began = time.perf_counter()
    work()
    wait()
    return time.perf_counter() - began


def as_in_training(engine: Any, data: Images, options: argparse.Namespace) -> dict[str, Any]:
    """Seconds of an epoch of ``hebb train``: updates, a look at saturation, errors, alignment; and of writing it."""
    from sim.epoch import Staged, learn_epoch
    from sim.run_folder import RunFolder
    from sim.train import measured

    def part(count: int) -> Staged:
        return Staged(data.images[:count], data.labels[:count], count)

    count, updates, size = len(data.order), options.updates, options.batch_size
    train, validation, test = part(count), part(max(1, count // 9)), part(max(1, 2 * count // 9))

    def epoch() -> None:
        def look(images: Any, step: int) -> None:
            engine.saturation(images)

        for work in learn_epoch(engine, train, data.order, size, 0, look, lambda _: None):
            if work:
                work.do()
        measured(engine, validation, test)

    taken = [timed(epoch, options.device) for _ in range(EPOCHS + 1)][1:]
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder.create(Path(folder) / "run")
        saving = timed(lambda: run.write_epoch([], engine.weights()), options.device)
    return {
        "epoch_milliseconds": round(1e3 * statistics.median(taken), 2),
        "epoch_of_updates": updates,
        "saving_milliseconds": round(1e3 * saving, 2),
    }


def summary(
    spec: NetworkSpec, options: argparse.Namespace, seconds: dict[str, list[float]], precisions: list[str]
) -> dict[str, Any]:
    """Medians, ratios to our fastest form in float32, and speeds as shares of the limits, which are given too."""
    measures = {name: seconds[name] for name in (*(f"product {name}" for name in precisions), "copy")}
    baseline = next(name for name in seconds if name not in measures)
    work = {name: work_of(spec, options.batch_size, name) for name in precisions}
    speeds = {name: [speed(name, each, sizes_of(options)) for each in values] for name, values in measures.items()}
    variants = {}
    for name, values in seconds.items():
        if name in measures:
            continue
        precision = precision_of(name)
        products = [work[precision].operations / one for one in speeds[f"product {precision}"]]
        copies = [work[precision].bytes / one for one in speeds["copy"]]
        variants[name] = {
            "precision": precision,
            "milliseconds": round(1e3 * statistics.median(values), 4),
            "images_per_second": round(options.batch_size / statistics.median(values)),
            "over_baseline": spread([a / b for a, b in zip(values, seconds[baseline], strict=True)]),
            "share_of_products": spread([a / b for a, b in zip(products, values, strict=True)]),
            "share_of_bytes": spread([a / b for a, b in zip(copies, values, strict=True)]),
        }
    return {
        "baseline": baseline,
        "work": {name: {"operations": one.operations, "bytes": one.bytes} for name, one in work.items()},
        "speeds": {name: statistics.median(values) for name, values in speeds.items()},
        "variants": variants,
    }


def precision_of(variant: str) -> str:
    """What the products of a variant are made in, by its name."""
    return next((name for name in ("bfloat16", "tfloat32") if name in variant), "float32")


def text(figures: dict[str, Any]) -> str:
    """The figures as a table for each network."""
    lines = []
    for net, found in figures["nets"].items():
        wide, baseline = max(map(len, found["variants"])), found["baseline"]
        lines.append(f"{net}, batches of {figures['batch_size']}, {figures['device']}, torch {figures['torch']}")
        for precision, work in found["work"].items():
            by_products = 1e3 * work["operations"] / found["speeds"][f"product {precision}"]
            by_bytes = 1e3 * work["bytes"] / found["speeds"]["copy"]
            lines.append(
                f"{precision}: {work['operations'] / 1e9:.2f}e9 operations, {work['bytes'] / 1e9:.3f}e9 bytes; "
                f"as dense products {by_products:.3f} ms, as copies {by_bytes:.3f} ms"
            )
        columns = ("ms", "images/s", "/ " + baseline, "least", "most", "of bytes", "products", "epoch, ms", "saving")
        lines += ["", f"{''.ljust(wide)}" + "".join(f"  {column:>9}" for column in columns)]
        for variant, one in found["variants"].items():
            ratio = one["over_baseline"]
            whole = [one.get(f"{name}_milliseconds") for name in ("epoch", "saving")]
            lines.append(
                f"{variant.ljust(wide)}  {one['milliseconds']:9.3f}  {one['images_per_second']:9,}  "
                f"{ratio['median']:9.2f}  {ratio['least']:9.2f}  {ratio['most']:9.2f}  "
                f"{one['share_of_bytes']['median']:9.1%}  {one['share_of_products']['median']:9.1%}"
                + "".join(f"  {value:9.1f}" for value in whole if value is not None)
            )
        epochs = [one["epoch_milliseconds"] for one in found["variants"].values() if "epoch_milliseconds" in one]
        if epochs:
            whole = f"{PAPER} epochs of {figures['updates']} updates, evaluation included"
            lines += ["", f"{whole}: {min(epochs) * PAPER / 1e3:.0f} s"]
        lines += [f"skipped: {name}: {why}" for name, why in found["skipped"].items()] + [""]
    return "\n".join(lines).rstrip()


def draw(figures: dict[str, Any]) -> Any:
    """The roofline, a matplotlib figure."""
    from benchmarks.figures import roofline

    return roofline(figures)


if __name__ == "__main__":
    from sim.cli import main

    sys.exit(main(["bench", "gpu", *sys.argv[1:]]))
