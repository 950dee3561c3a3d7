"""What one update costs at least, in products of dense layers and bytes that move, and how fast a machine does both."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from network.spec import INPUT, NetworkSpec

MASTERS = 4  # bytes of a weight, whatever the layers compute in
BYTES = {"float32": 4, "tfloat32": 4, "bfloat16": 2}  # of a value
PRECISIONS = ("float32", "bfloat16")  # of a CPU


@dataclass(frozen=True)
class Sizes:
    """Of the yardsticks.

    Attributes
    ----------
    product : int
        Rows and columns of the matrices that are multiplied.
    copied : int
        Bytes that are read, and as many written: more than caches hold.
    """

    product: int = 2048
    copied: int = 1 << 27


CPU, GPU = Sizes(), Sizes(8192, 1 << 32)


@dataclass(frozen=True)
class Work:
    """What one update cannot do without.

    Attributes
    ----------
    operations : int
        Twice the synapses of dense layers, for each of forward, increment and feedback. A step that skips the products
        of silent units does fewer.
    bytes : int
        What a step must move that keeps nothing in a cache from one layer to the next, and computes whatever lies
        between two weighted layers (saturation, pooling, dropout, SUM) as the values pass by.
    """

    operations: int
    bytes: int

    @property
    def intensity(self) -> float:
        """Operations per byte."""
        return self.operations / self.bytes


def work_of(spec: NetworkSpec, images: int, precision: str = "float32") -> Work:
    """The work of one update.

    Every array that a weighted layer reads is written once, and read forward and by the increment; its feedback is
    written and read once; where something lies below it, a byte a unit says what (which pixel won, what was dropped).
    Pixels are bytes. W is read forward and R backward, both are read and written when they change.

    Parameters
    ----------
    spec : NetworkSpec
        Rule urfb.
    images : int
        In a batch.
    precision : {"float32", "tfloat32", "bfloat16"}
        Of activity and feedback.
    """
    operations = weights = 0
    for node in spec.weighted:
        positions = prod(node.shape[1:]) if len(node.weight_shape) == 4 else 1
        reaches_below = node.sources[0] in spec.learns_below
        operations += (2 + reaches_below) * 2 * positions * prod(node.weight_shape)
        weights += (5 + reaches_below) * MASTERS * prod(node.weight_shape)
    a_value, nodes = BYTES[precision], {node.name: node for node in spec.nodes}
    activity = 2 * a_value * 2 * spec.classes
    for name, readers in Counter(node.sources[0] for node in spec.weighted).items():
        if name == INPUT:
            activity += 2 * readers * prod(spec.input_shape)
            continue
        coded = 0 if nodes[name].index else 2
        activity += ((1 + 2 * readers + 2) * a_value + coded) * nodes[name].units
    return Work(operations * images, activity * images + weights)


def yardsticks(
    device: str = "cpu", precisions: Sequence[str] = PRECISIONS, sizes: Sizes = CPU
) -> dict[str, Callable[[], Any]]:
    """A dense matrix product in each precision, and a copy of memory. See `speed`."""
    import torch

    from sim.torch_device import multiply_in

    def product(precision: str) -> Callable[[], Any]:
        dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
        a, b = (torch.randn(sizes.product, sizes.product, device=device).to(dtype) for _ in range(2))
        out = torch.empty_like(a)

        def multiply() -> None:
            multiply_in(device, precision)
            torch.mm(a, b, out=out)

        return multiply

    source = torch.ones(sizes.copied, dtype=torch.uint8, device=device)
    target = torch.zeros_like(source)
    products = {f"product {precision}": product(precision) for precision in precisions}
    return {**products, "copy": lambda: target.copy_(source)}


def speed(yardstick: str, seconds: float, sizes: Sizes = CPU) -> float:
    """Operations a second of a product, or bytes a second of the copy, read and written."""
    return (2 * sizes.copied if yardstick == "copy" else 2 * sizes.product**3) / seconds
