"""Untied layers against tied ones, torch.sparse, and unfolded patches.

    hebb bench local [--layers 3x32:5x32 16x32:3x16 ...] [--batch-sizes 500 50] [--threads 1] [--clock processor]
    python benchmarks/local.py ...                                             the same

A layer CxS:KxF has F filters of KxK on maps of C channels and SxS pixels. Each form goes forward (saturation
included), adds the Hebbian increment of a dense delta to its weights, and sends feedback, in turn on the same random
numbers. Tied is PyTorch's convolution, channels_last, both where the C library's memory is as installed and where it
is kept; all other forms have it kept. Ratios are medians over the rounds of what one round measured. Memory is the peak
of a process of its own after three updates, over that of a process that has done nothing; for whole networks too, tied
and untied, where an update includes everything that training does.
"""

import argparse
import statistics
import sys
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # as a script, Python has put this file's folder first
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.cpu import add_clock, check_torch, ours, spread
from benchmarks.local_forms import CLASSES, FORMS, SMALL, Layer, layer, tied, untied
from benchmarks.servers import Server, Variants, rounds, stop_all
from network.errors import BadInput
from network.spec import NetworkSpec

WAYS = ("forward", "increment", "feedback")
IMAGE = 3, 32, 32


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of ``hebb bench local``."""
    # The first is the layer of the paper's simpnet, the others are those of deepernet that most of its weights are in.
    layers = ["3x32:5x32", "16x32:3x16", "32x32:3x32", "64x16:3x64", "128x8:3x128"]
    parser.add_argument(
        "--layers", nargs="+", type=layer, default=[layer(one) for one in layers], metavar="CxS:KxF",
        help=f"({' '.join(layers)})",
    )  # fmt: skip
    parser.add_argument(
        "--batch-sizes", nargs="+", type=int, default=[500, 50], metavar="N", help="images of an update (500 50)"
    )
    parser.add_argument(
        "--forms", nargs="+", choices=FORMS, default=["untied", "tied"], help="(untied tied); the others are slow"
    )
    parser.add_argument(
        "--nets", nargs="*", default=[], metavar='PRESET|"NOTATION"', help="whole networks, tied and untied (none)"
    )
    add_clock(parser, rounds=5)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """All layers with all batch sizes, and all networks."""
    check_torch()
    if min(options.rounds, options.threads, *options.batch_sizes) < 1:
        raise BadInput("--rounds, --batch-sizes and --threads: expected 1 or more")
    for net in options.nets:
        NetworkSpec.parse(net, IMAGE, CLASSES).untied()
    forms = list(dict.fromkeys(["untied", *options.forms]))
    cases = [(one, count) for one in options.layers for count in options.batch_sizes]
    nets = [(net, count) for net in options.nets for count in options.batch_sizes]
    return {
        "threads": options.threads,
        "rounds": options.rounds,
        "clock": options.clock,
        "layers": [
            {"layer": name_of(one), "batch_size": count, "forms": compare(one, count, forms, options)}
            for one, count in cases
        ],
        "nets": [{"net": net, "batch_size": count, "forms": compare_nets(net, count, options)} for net, count in nets],
    }


def compare(one: Layer, count: int, forms: list[str], options: argparse.Namespace) -> dict[str, Any]:
    """All forms of one layer, and what memory each takes."""
    seconds = in_turn(
        {"kept": (prepare, one, count, forms, "kept"), "installed": (prepare, one, count, ["tied"], "installed")},
        options,
    )
    memory = peaks({form: (prepare, one, count, [form], "kept") for form in forms}, options)
    names = {("kept", form): form for form in forms} | {("installed", "tied"): "tied, memory as installed"}
    found = {}
    for (server, form), name in names.items():
        ways = {way: seconds[server, f"{form} {way}"] for way in WAYS}
        ours_, theirs = (
            [sum(pair) for pair in zip(*both, strict=True)]
            for both in (
                [seconds["kept", f"untied {way}"] for way in WAYS[:2]],
                [ways[way] for way in WAYS[:2]],
            )
        )
        found[name] = {
            **{way: milliseconds(values) for way, values in ways.items()},
            "over_untied": spread([b / a for a, b in zip(ours_, theirs, strict=True)]),
            "memory": memory[form] if server == "kept" else None,
        }
    return found


def compare_nets(net: str, count: int, options: argparse.Namespace) -> dict[str, Any]:
    """A network tied and untied: one update, and what memory it takes."""
    processes = {form: (prepare_net, net, count, form == "untied") for form in ("untied", "tied")}
    seconds, memory = in_turn(processes, options), peaks(processes, options)
    values = {form: seconds[form, "update"] for form in processes}
    ratios = [b / a for a, b in zip(values["untied"], values["tied"], strict=True)]
    return {
        form: {
            "update": milliseconds(one),
            "over_untied": spread(ratios if form == "tied" else [1.0]),
            "memory": memory[form],
        }
        for form, one in values.items()
    }


def in_turn(processes: dict[str, tuple[Any, ...]], options: argparse.Namespace) -> dict[tuple[str, str], list[float]]:
    """Seconds of every variant of every process, by round."""
    servers: dict[str, Server] = {}
    try:
        for name, what in processes.items():
            servers[name] = Server(*what, threads=options.threads, clock=options.clock)
        return rounds(servers, options.rounds)
    finally:
        stop_all(servers.values())


def peaks(processes: dict[str, tuple[Any, ...]], options: argparse.Namespace) -> dict[str, int]:
    """MiB that each takes for three updates, over a process that only has everything loaded."""

    def peak(*what: Any) -> float:
        server = Server(*what, threads=options.threads, clock=options.clock)
        try:
            for _ in range(3):
                for variant in server.variants:
                    server.ask(variant)
            return server.memory()
        finally:
            server.stop()

    idle = peak(prepare, SMALL, 1, [], "kept")
    return {name: round(peak(*what) - idle) for name, what in processes.items()}


def prepare(one: Layer, count: int, forms: list[str], memory: str) -> tuple[Variants, dict[str, str]]:
    """The variants of one process that has the layer."""
    import torch

    from sim.torch_memory import keep_freed_memory

    if memory == "kept":
        keep_freed_memory()
    torch.manual_seed(0)
    for function in [*untied(SMALL, 1), *tied(SMALL, 1)]:  # loads all code, which takes memory of its own
        function()
    return {
        f"{form} {way}": function for form in forms for way, function in zip(WAYS, FORMS[form](one, count), strict=True)
    }, {}


def prepare_net(net: str, count: int, is_untied: bool) -> tuple[Variants, dict[str, str]]:
    """One update of a whole network."""
    import torch

    spec = NetworkSpec.parse(net, IMAGE, CLASSES)
    spec = spec.untied() if is_untied else spec
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (count, *IMAGE), dtype=torch.uint8, generator=generator)
    labels = torch.randint(0, CLASSES, (count,), generator=generator)
    return {"update": ours(spec, images, labels, {"kernels": "fast"})}, {}


def name_of(one: Layer) -> str:
    """As the flag has it."""
    return f"{one.channels}x{one.size}:{one.kernel}x{one.filters}"


def milliseconds(values: list[float]) -> float:
    """The median."""
    return round(1e3 * statistics.median(values), 2)


def text(figures: dict[str, Any]) -> str:
    """The figures as a table for each layer and network."""
    lines = [f"{figures['threads']} threads, {figures['clock']} clock, {figures['rounds']} rounds; times in ms"]
    heads = ("/ untied", "least", "most", "MiB")
    for case in [*figures["layers"], *figures["nets"]]:
        ways = WAYS if "layer" in case else ("update",)
        wide = max(map(len, case["forms"]))
        lines += ["", f"{case.get('layer') or case['net']}, batches of {case['batch_size']}"]
        lines.append("  ".join([" " * wide, *(f"{head:>9}" for head in (*ways, *heads))]))
        for form, one in case["forms"].items():
            cells = [f"{one[way]:9.1f}" for way in ways]
            cells += [f"{one['over_untied'][which]:9.2f}" for which in ("median", "least", "most")]
            cells.append(f"{'' if one['memory'] is None else one['memory']:>9}")
            lines.append("  ".join([form.ljust(wide), *cells]))
    return "\n".join(lines)


if __name__ == "__main__":
    from sim.cli import main

    sys.exit(main(["bench", "local", *sys.argv[1:]]))
