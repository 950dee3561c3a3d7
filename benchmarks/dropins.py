"""Layers with feedback weights in a ResNet-18, against PyTorch's own and against BioTorch's `BioModule`.

    hebb bench dropins [--batch-size 32] [--modes plain amp compiled] [--rounds 7] [--threads 1] [--clock processor]
    python benchmarks/dropins.py ...                                           the same

Every variant makes one update of the same model in turn (SGD with momentum, cross-entropy, images of CIFAR-10's size),
and ratios are medians over the rounds of the ratio to PyTorch's own layers, plain: back-propagation without autocast or
compilation. Then single layers are converted by both packages, and what each computes is compared with autograd of
PyTorch's layer: outputs and increments with its weights, feedback with R in their place. BioTorch is optional
("pip install --no-deps biotorch"); its ``fa`` is ``frfb`` here, and its ``usf`` has its scale.
"""

import argparse
import contextlib
import copy
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # as a script, Python has put this file's folder first
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.cpu import add_clock, check_torch, spread
from benchmarks.peers import first_line
from benchmarks.servers import Server, Variants, rounds, stop_all
from network.errors import BadInput

MODES = ("plain", "amp", "compiled")
SCALED = {"feedback_scale": "biotorch"}
# By name: the rule of `sim.torch_convert.convert` with its options, BioTorch's mode, or neither.
OURS: dict[str, tuple[str, dict[str, Any]]] = {
    "urfb": ("urfb", {}), "frfb": ("frfb", {}), "usf": ("usf", SCALED), "brsf": ("brsf", SCALED),
}  # fmt: skip
THEIRS = {"BioTorch fa": "fa", "BioTorch usf": "usf", "BioTorch brsf": "brsf"}
OWN = "torch.nn"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of ``hebb bench dropins``."""
    parser.add_argument("--batch-size", type=int, default=32, metavar="N", help="images of an update (%(default)s)")
    parser.add_argument(
        "--modes", nargs="+", choices=MODES, default=["plain", "amp"],
        help="(plain amp) amp is bfloat16 autocast; compiling takes minutes",
    )  # fmt: skip
    add_clock(parser, rounds=7)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Updates of the whole model in every mode, and which layers are right."""
    check_torch()
    if min(options.rounds, options.batch_size, options.threads) < 1:
        raise BadInput("--rounds, --batch-size and --threads: expected 1 or more")
    modes = dict.fromkeys(["plain", *options.modes])
    servers: dict[str, Server] = {}
    try:
        servers["all"] = Server(prepare, options.batch_size, tuple(modes), threads=options.threads, clock=options.clock)
        seconds = rounds(servers, options.rounds)
    finally:
        stop_all(servers.values())
    baseline = seconds["all", f"{OWN}, plain"]
    return {
        "batch_size": options.batch_size,
        "threads": options.threads,
        "clock": options.clock,
        "rounds": options.rounds,
        "updates": {
            name: {
                "milliseconds": round(1e3 * spread(values)["median"], 1),
                "over_torch": spread([a / b for a, b in zip(values, baseline, strict=True)]),
            }
            for (_, name), values in seconds.items()
        },
        "skipped": servers["all"].skipped,
        "layers": {"ours": covered(of_ours), "BioTorch": covered(of_theirs)},
    }


def prepare(batch_size: int, modes: tuple[str, ...]) -> tuple[Variants, dict[str, str]]:
    """One update by every variant in every mode, and why some cannot make any."""
    import torch

    from benchmarks.resnet import ResNet18
    from sim.torch_memory import keep_freed_memory

    keep_freed_memory()
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(batch_size, 3, 32, 32, generator=generator)
    labels = torch.randint(0, 10, (batch_size,), generator=generator)
    variants, skipped = {}, {}
    for mode in modes:
        for name in (OWN, *OURS, *THEIRS):
            torch.manual_seed(0)
            try:
                model = ResNet18()
                if name in OURS:
                    of_ours(model, *OURS[name])
                elif name in THEIRS:
                    of_theirs(model, THEIRS[name])
                step = update(model, images, labels, mode)
                step()  # what cannot run fails here
            except ModuleNotFoundError as error:
                skipped[name] = f"needs the package '{error.name}', see benchmarks/README.md"
            except Exception as error:
                if name not in THEIRS and mode != "compiled":
                    raise
                skipped[f"{name}, {mode}"] = first_line(error)
            else:
                variants[f"{name}, {mode}"] = step
    return variants, skipped


def update(model: Any, images: Any, labels: Any, mode: str) -> Callable[[], None]:
    """One update of a model, as its user writes it."""
    import torch

    optimiser = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    run = torch.compile(model) if mode == "compiled" else model

    def step() -> None:
        optimiser.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=mode == "amp"):
            loss = torch.nn.functional.cross_entropy(run(images), labels)
        loss.backward()
        optimiser.step()

    return step


def of_ours(model: Any, rule: str = "frfb", options: dict[str, Any] | None = None) -> None:
    """Convert by this package."""
    from sim.torch_convert import convert

    convert(model, rule, **(options or {}))


def of_theirs(model: Any, mode: str = "fa") -> None:
    """Convert by BioTorch, which prints what it does."""
    from biotorch.module.biomodule import BioModule  # pyright: ignore[reportMissingImports]

    with contextlib.redirect_stdout(io.StringIO()):
        BioModule(module=model, mode=mode)


def probes() -> dict[str, tuple[Any, Any]]:
    """Single layers and what they are given."""
    import torch
    from torch import nn

    def maps(channels: int) -> Any:
        return torch.randn(2, channels, 8, 8)

    return {
        "Linear": (nn.Linear(6, 5), torch.randn(4, 6)),
        "Linear, one unit": (nn.Linear(6, 1), torch.randn(4, 6)),
        "Linear, of sequences": (nn.Linear(6, 5), torch.randn(4, 3, 6)),
        "Conv2d": (nn.Conv2d(4, 6, 3, padding=1), maps(4)),
        "Conv2d, stride 2": (nn.Conv2d(4, 6, 3, 2, 1), maps(4)),
        "Conv2d, dilation 2": (nn.Conv2d(4, 6, 3, dilation=2), maps(4)),
        "Conv2d, 2 groups": (nn.Conv2d(4, 6, 3, groups=2), maps(4)),
        "Conv2d, 'same'": (nn.Conv2d(4, 6, 3, padding="same"), maps(4)),
        "Conv2d, reflected": (nn.Conv2d(4, 6, 3, padding=1, padding_mode="reflect"), maps(4)),
        "Conv2d, one image": (nn.Conv2d(4, 6, 3), torch.randn(4, 8, 8)),
        "Conv2d, amp": (nn.Conv2d(4, 6, 3), maps(4)),
        "Linear, amp": (nn.Linear(6, 5), torch.randn(4, 6)),
    }


def covered(convert: Callable[[Any], None]) -> dict[str, str]:
    """What each of the probes computes once it is converted: ``"right"``, what is wrong, or the error."""
    import torch

    torch.manual_seed(0)
    found = {}
    for name, (layer, x) in probes().items():
        try:
            found[name] = verdict(layer, x, convert, amp=name.endswith("amp"))
        except ModuleNotFoundError as error:
            return {"all": f"needs the package '{error.name}'"}
        except Exception as error:
            found[name] = f"error: {first_line(error)}"
    return found


def verdict(layer: Any, x: Any, convert: Callable[[Any], None], amp: bool) -> str:
    """Whether one converted layer is right: its output, what W and b learn, and what it sends down through R."""
    import torch
    from torch import nn

    model = nn.Sequential(copy.deepcopy(layer))
    convert(model)
    made: Any = model[0]
    back = copy.deepcopy(layer)
    R = made.weight_backward if hasattr(made, "weight_backward") else made.R
    back.weight.data.copy_(R)
    outputs, inputs, g = [], [], None
    for each in (layer, back, made):
        inputs.append(x.clone().requires_grad_())
        with torch.autocast("cpu", torch.bfloat16, enabled=amp):
            outputs.append(each(inputs[-1]))
        g = torch.randn_like(outputs[0]) if g is None else g
        outputs[-1].backward(g)
    close = 2**-6 if amp else 1e-4
    pairs = {
        "output": (outputs[2], outputs[0]),
        "increment of W": (made.weight.grad, layer.weight.grad),
        "increment of b": (made.bias.grad, layer.bias.grad),
        "feedback": (inputs[2].grad, inputs[1].grad),
    }
    wrong = [
        what
        for what, (ours, right) in pairs.items()
        if ours.shape != right.shape or (ours - right).abs().max() > close * right.abs().max()
    ]
    return f"wrong {', '.join(wrong)}" if wrong else "right"


def text(figures: dict[str, Any]) -> str:
    """The figures as two tables."""
    head = f"batches of {figures['batch_size']}, {figures['threads']} threads, {figures['clock']} clock"
    wide = max(map(len, figures["updates"]))
    lines = [
        f"one update of ResNet-18, {head}",
        f"{'':{wide}}  {'ms':>7}  {'/ torch.nn':>10}  {'least':>6}  {'most':>6}",
    ]
    for name, one in figures["updates"].items():
        ratio = one["over_torch"]
        cells = f"{one['milliseconds']:7.1f}  {ratio['median']:10.2f}  {ratio['least']:6.2f}  {ratio['most']:6.2f}"
        lines.append(f"{name:{wide}}  {cells}")
    lines += [f"{name}: skipped: {why}" for name, why in figures["skipped"].items()]
    ours, theirs = figures["layers"]["ours"], figures["layers"]["BioTorch"]
    wide = max(map(len, ours))
    lines += ["", f"{'converted layers':{wide}}  {'ours':8}  BioTorch"]
    lines += [f"{name:{wide}}  {what:8}  {theirs.get(name, theirs.get('all', ''))}" for name, what in ours.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    from sim.cli import main

    sys.exit(main(["bench", "dropins", *sys.argv[1:]]))
