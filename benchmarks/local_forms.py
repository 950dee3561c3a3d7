"""A locally connected layer in the forms that `benchmarks.local` compares: forward, increment, feedback of each.

All untied forms have the same weights and see the same numbers.
"""

import argparse
from collections.abc import Callable
from typing import Any, NamedTuple

from network.spec import NetworkSpec

CLASSES = 10
ETA = 1e-9  # weights keep their size however many rounds there are


class Layer(NamedTuple):
    """F filters of KxK on maps of C channels and SxS pixels."""

    channels: int
    size: int
    kernel: int
    filters: int


SMALL = Layer(channels=16, size=2, kernel=1, filters=16)


def layer(text: str) -> Layer:
    """From CxS:KxF."""
    try:
        found = Layer(*(int(number) for part in text.split(":") for number in part.split("x")))
    except (TypeError, ValueError):
        found = None
    if not found or text.count(":") != 1 or min(found) < 1 or found.kernel % 2 == 0 or found.filters % 16:
        raise argparse.ArgumentTypeError(
            f"'{text}' is no layer; expected CxS:KxF, as 3x32:5x32, with an odd kernel K and a multiple of 16 filters F"
        )
    return found


def untied(one: Layer, count: int) -> list[Callable[[], Any]]:
    """The stage of the torch engine's compiled kernels."""
    from sim.event.space import Space
    from sim.fast.local import LocalSynapses
    from sim.fast.stages import Batch

    (channels, size, kernel, filters) = one
    spec = NetworkSpec.parse(f"Local {filters} {kernel}x{kernel}; Output", (channels, size, size), CLASSES)
    node = spec.weighted[0]
    stage, x, delta = LocalSynapses(spec, node, None, Space(keep=True)), *numbers(one, count)
    W = stage.inside(weights(one))
    return [
        lambda: stage.up([x], Batch(count, 0), W),
        lambda: stage.learn(delta, ETA, [W], [None]),
        lambda: stage.back(W, delta),
    ]


def tied(one: Layer, count: int) -> list[Callable[[], Any]]:
    """PyTorch's convolution."""
    import torch

    (channels, _, kernel, filters), (x, delta) = one, numbers(one, count)
    W = torch.randn(filters, channels, kernel, kernel).to(memory_format=torch.channels_last)
    W /= (channels * kernel**2) ** 0.5

    def backward(*wanted: bool) -> Any:
        middle = kernel // 2, kernel // 2
        return torch.ops.aten.convolution_backward(delta, x, W, None, (1, 1), middle, (1, 1), False, (0, 0), 1, wanted)

    return [
        lambda: torch.nn.functional.conv2d(x, W, padding=kernel // 2).clamp_(-1, 1),
        lambda: W.add_(backward(False, True, False)[1], alpha=ETA),
        lambda: backward(True, False, False),
    ]


def unfold(one: Layer, count: int) -> list[Callable[[], Any]]:
    """Patches laid out, and a sum for every position."""
    import torch
    from torch.nn import functional

    (channels, size, kernel, filters), (x, delta) = one, (part.contiguous() for part in numbers(one, count))
    W = weights(one).permute(1, 2, 0, 3, 4, 5).reshape(size**2, filters, channels * kernel**2)
    delta_ = delta.flatten(2)

    def patches() -> Any:
        return functional.unfold(x, kernel, padding=kernel // 2)

    return [
        lambda: torch.einsum("bkp,pck->bcp", patches(), W).clamp_(-1, 1),
        lambda: W.add_(torch.einsum("bcp,bkp->pck", delta_, patches()), alpha=ETA),
        lambda: functional.fold(torch.einsum("bcp,pck->bkp", delta_, W), size, kernel, padding=kernel // 2),
    ]


def sparse(one: Layer, count: int) -> list[Callable[[], Any]]:
    """A matrix of all units to all units below, in compressed rows: how the paper's experiments did it."""
    import torch

    torch.sparse.check_sparse_tensor_invariants.disable()  # said aloud, or else torch warns that it does not check
    channels, size, kernel, filters = one
    pixel, tap, channel = torch.arange(size**2), torch.arange(kernel**2), torch.arange(channels)
    row = pixel[:, None] // size + tap // kernel - kernel // 2
    column = pixel[:, None] % size + tap % kernel - kernel // 2
    inside = (row >= 0) & (row < size) & (column >= 0) & (column < size)
    above, below = pixel[:, None].expand_as(row)[inside], (row * size + column)[inside]
    units = (above[:, None, None] + size**2 * torch.arange(filters)[:, None]).expand(-1, -1, channels)
    places = (below[:, None, None] + size**2 * channel).expand(-1, filters, -1)
    shape = filters * size**2, channels * size**2
    values = weights(one).permute(1, 2, 4, 5, 0, 3).reshape(*inside.shape, filters, channels)[inside]
    indices = torch.stack([units.flatten(), places.flatten()])
    W = torch.sparse_coo_tensor(indices, values.flatten(), shape).coalesce()
    turned = W.t().coalesce().to_sparse_csr()
    W = W.to_sparse_csr()
    x, delta = (part.flatten(1).t().contiguous() for part in numbers(one, count))
    return [
        lambda: (W @ x).clamp_(-1, 1),
        lambda: torch.sparse.sampled_addmm(W, delta, x.t(), alpha=ETA, out=W),
        lambda: turned @ delta,
    ]


def weights(one: Layer) -> Any:
    """Of the untied forms, (filters, S, S, channels, K, K)."""
    import torch

    drawn = torch.randn(
        one.filters,
        one.size,
        one.size,
        one.channels,
        one.kernel,
        one.kernel,
        generator=torch.Generator().manual_seed(0),
    )
    return drawn / (one.channels * one.kernel**2) ** 0.5


def numbers(one: Layer, count: int) -> tuple[Any, Any]:
    """Activity below and delta, maps with their channels together in memory."""
    import torch

    generator = torch.Generator().manual_seed(1)
    sizes = ((count, one.size, one.size, maps) for maps in (one.channels, one.filters))
    x, delta = (torch.randn(size, generator=generator) for size in sizes)
    return x.permute(0, 3, 1, 2), delta.permute(0, 3, 1, 2)


FORMS = {"untied": untied, "tied": tied, "sparse": sparse, "unfold": unfold}
