"""Training steps on the CPU: this package's torch engine, plain and fast, against PyTorch's own autograd.

    hebb bench cpu [--nets simpnet deepernet] [--batch-size 500] [--rounds 7] [--threads 2] [--json FILE]
    python benchmarks/cpu.py ...                                             the same

Every variant makes one update in turn on the same random images, and ratios are medians over the rounds of what one
round measured: a busy machine slows all of a round. Variants live in two processes that work alternately, because two
things are properties of a process: one where the C library's memory is as installed, and one where freed memory is kept
(`sim.torch_memory`). Each peer thus runs at its best and as it comes. Rule urfb against back-propagation with SGD,
dropout on, no biases. Where other programs use the processor too, `--clock processor --threads 1` measures what a step
costs instead of how long it was kept waiting. The limit by arithmetic counts every product of a dense layer, at the
speed of a matrix product measured in the same round; a step that skips products can pass it.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

# Run as a script, Python puts this file's folder first.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from network.errors import BadInput
from network.spec import NetworkSpec

IMAGE = (3, 32, 32)
OURS = {"plain": "plain", "fast": "fast"}
# peer: (channels last, bfloat16)
PEERS = {
    "autograd": (False, False),
    "autograd channels_last": (True, False),
    "autograd channels_last, bfloat16 autocast": (True, True),
}
PRODUCT = 2048  # rows and columns of the matrices whose product is the yardstick


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of ``hebb bench cpu``."""
    parser.add_argument("--nets", nargs="+", default=["simpnet", "deepernet"], metavar='PRESET|"NOTATION"')
    parser.add_argument("--batch-size", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--clock",
        choices=("wall", "processor"),
        default="wall",
        help="processor time, of all threads, on a busy machine",
    )
    parser.add_argument("--serve", choices=("kept", "installed"), help=argparse.SUPPRESS)


def main() -> int:
    """Run the benchmark; print its figures, as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures here too")
    options = parser.parse_args()
    if options.serve:
        serve(options)
        return 0
    figures = json.dumps(measure(options), indent=2)
    print(figures)
    if options.json:
        options.json.write_text(figures + "\n")
    return 0


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


def check(options: argparse.Namespace) -> None:
    """Raise `BadInput` for what cannot be measured."""
    if min(options.rounds, options.batch_size, options.threads) < 1:
        raise BadInput("--rounds, --batch-size and --threads: expected 1 or more")
    for net in options.nets:
        why_not = not_for(NetworkSpec.parse(net, IMAGE, 10))
        if why_not:
            raise BadInput(f"--nets {net}: {why_not}")


def text(figures: dict[str, Any]) -> str:
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


def compare(net: str, options: argparse.Namespace) -> dict[str, Any]:
    """All variants on one network, one update each in turn."""
    servers = {memory: Server(memory, net, options) for memory in ("installed", "kept")}
    try:
        products = servers["kept"].ask("products")
        seconds: dict[str, list[float]] = {}
        for number in range(options.rounds + 1):
            for memory, server in servers.items():
                for variant in server.variants:
                    taken = server.ask(variant)
                    if number:  # the first compiles
                        seconds.setdefault(f"{variant}, memory {memory}", []).append(taken)
    finally:
        for server in servers.values():
            server.stop()
    return summary(seconds, products)


def summary(seconds: dict[str, list[float]], products: float) -> dict[str, Any]:
    """Medians, ratios to the fast form, and shares of the limit."""
    fast = seconds["fast, memory kept"]
    figures = {}
    for variant, values in seconds.items():
        if variant.startswith("product"):
            continue
        yardstick = "product bfloat16" if "bfloat16" in variant else "product float32"
        speeds = seconds[f"{yardstick}, memory kept"]
        limit = [products / (2 * PRODUCT**3) * one for one in speeds]
        figures[variant] = {
            "milliseconds": round(1e3 * statistics.median(values), 1),
            "over_fast": spread([a / b for a, b in zip(values, fast, strict=True)]),
            "share_of_dense_limit": spread([a / b for a, b in zip(limit, values, strict=True)]),
        }
    return {"products_an_update": products, "variants": figures}


def spread(values: list[float]) -> dict[str, float]:
    """The median, and between what the others lie."""
    return {
        "median": round(statistics.median(values), 3),
        "least": round(min(values), 3),
        "most": round(max(values), 3),
    }


class Server:
    """A process with its variants ready, which makes one update when asked for one."""

    def __init__(self, memory: str, net: str, options: argparse.Namespace) -> None:
        flags = ["--serve", memory, "--nets", net, "--batch-size", options.batch_size, "--threads", options.threads]
        flags += ["--clock", options.clock]
        environment = {**os.environ, "OMP_NUM_THREADS": str(options.threads), "OMP_WAIT_POLICY": "PASSIVE"}
        command = [sys.executable, __file__, *map(str, flags)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.variants: list[str] = self._answer()

    def ask(self, variant: str) -> Any:
        """Seconds of one update by `variant`."""
        assert self._process.stdin
        self._process.stdin.write(variant + "\n")
        self._process.stdin.flush()
        return self._answer()

    def stop(self) -> None:
        """End the process."""
        with self._process as process:
            assert process.stdin
            process.stdin.close()

    def _answer(self) -> Any:
        assert self._process.stdout
        return json.loads(self._process.stdout.readline())


def not_for(spec: Any) -> str:
    """Why the peers cannot run a network; empty where they can. They are written for the paper's own layers."""
    for layer in spec.layers:
        if layer.keyword not in ("Conv", "Maxpool", "Drop", "SUM", "Full", "Output"):
            return f"'{layer}' has no counterpart among the peers"
        if layer.keyword == "Conv" and not all(k % 2 for k in layer.kernel):
            return f"'{layer}': the peers pad both sides alike; use an odd kernel"
        if layer.keyword == "Maxpool" and str(layer) != "Maxpool 3":
            return f"'{layer}': the peers know Maxpool 3"
    return ""


def serve(options: argparse.Namespace) -> None:
    """Answer with the names of the variants, then with the seconds of one update for every name that is read."""
    import torch

    torch.set_num_threads(options.threads)
    spec = NetworkSpec.parse(options.nets[0], IMAGE, 10)
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (options.batch_size, *IMAGE), dtype=torch.uint8, generator=generator)
    labels = torch.randint(0, 10, (options.batch_size,), generator=generator)
    clock = time.perf_counter if options.clock == "wall" else time.process_time
    variants = peers(spec, images, labels)
    if options.serve == "kept":
        variants |= ours(spec, images, labels) | yardsticks()
    print(json.dumps(list(variants)), flush=True)
    for line in sys.stdin:
        if line.strip() == "products":
            print(products_of(spec, options.batch_size), flush=True)
            continue
        begin = clock()
        variants[line.strip()]()
        print(clock() - begin, flush=True)


def ours(spec: Any, images: Any, labels: Any) -> dict[str, Callable[[], Any]]:
    """This package's engine, which has the memory kept from now on."""
    from network.rules import make_rule
    from network.weights import Weights
    from sim.engine import Settings, open_engine

    def update(kernels: str) -> Callable[[], Any]:
        settings = Settings(make_rule("urfb"), device="cpu", kernels=kernels)
        engine = open_engine("torch", spec, Weights.draw(spec, 0, dtype="float32"), settings)
        steps = iter(range(1 << 30))
        return lambda: int(engine.learn(images, labels, next(steps)))

    return {name: update(kernels) for name, kernels in OURS.items()}


def peers(spec: Any, images: Any, labels: Any) -> dict[str, Callable[[], Any]]:
    """Back-propagation as one writes it in PyTorch: modules' functions, backward(), SGD."""
    import torch
    from torch.nn import functional

    from network.weights import Weights

    right = functional.one_hot(labels, spec.classes).bool()

    def outputs(W: dict[int, Any], x: Any) -> Any:
        values = {"input": x}
        for node in spec.nodes:
            below = values[node.sources[0]]
            match node.layer.keyword:
                case "SUM":
                    values[node.name] = below + values[node.sources[1]]
                case "Drop":
                    values[node.name] = functional.dropout(below, node.layer.fraction)
                case "Maxpool":
                    values[node.name] = functional.max_pool2d(below, node.layer.size, node.layer.stride, 1)
                case "Conv":
                    kh, kw = node.layer.kernel
                    h = functional.conv2d(below, W[node.index], padding=(kh // 2, kw // 2))
                    values[node.name] = functional.hardtanh(h)
                case _:
                    h = functional.linear(below.flatten(1), W[node.index])
                    values[node.name] = h if node.is_output else functional.hardtanh(h)
        return values[spec.nodes[-1].name]

    def update(channels_last: bool, bfloat16: bool) -> Callable[[], Any]:
        drawn = Weights.draw(spec, 0, dtype="float32").W
        layout = torch.channels_last if channels_last else torch.contiguous_format
        W = {i: torch.tensor(w) for i, w in drawn.items()}
        W = {i: (w.to(memory_format=layout) if w.ndim == 4 else w).requires_grad_() for i, w in W.items()}
        optimiser = torch.optim.SGD(W.values(), lr=0.1)

        def step() -> None:
            pixels = images.to(torch.float32, memory_format=layout) / 255
            optimiser.zero_grad(set_to_none=True)
            with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
                found = outputs(W, pixels)
                wrong = (1 + found).clamp_min(0).masked_fill(right, 0).sum() / (spec.classes - 1)
                loss = ((1 - found[right]).clamp_min(0).sum() + wrong) / len(labels)
            loss.backward()
            optimiser.step()

        return step

    return {name: update(*how) for name, how in PEERS.items()}


def yardsticks() -> dict[str, Callable[[], Any]]:
    """A dense matrix product in either precision."""
    import torch

    def product(dtype: Any) -> Callable[[], Any]:
        a, b = (torch.randn(PRODUCT, PRODUCT).to(dtype) for _ in range(2))
        out = torch.empty(PRODUCT, PRODUCT, dtype=dtype)
        return lambda: torch.mm(a, b, out=out)

    return {f"product {name}": product(getattr(torch, name)) for name in ("float32", "bfloat16")}


def products_of(spec: Any, images: int) -> int:
    """Operations of one update of dense layers: twice the synapses for each of forward, increment and feedback."""
    total = 0
    for node in spec.weighted:
        positions = prod(node.shape[1:]) if len(node.weight_shape) == 4 else 1
        ways = 3 if node.sources[0] in spec.learns_below else 2
        total += ways * 2 * positions * prod(node.weight_shape)
    return total * images


if __name__ == "__main__":
    sys.exit(main())
