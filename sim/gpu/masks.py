"""Dropout masks made on the device: the very draws of `network.randomness`, bit for bit, whatever device it is.

NumPy's generator PCG64 is s -> A s + inc in 128 bits, and its numbers are scrambled states. So the state after n steps
follows from the first one at once, A^n s + (1 + A + ... + A^(n-1)) inc, and every number can be made apart from all
others. The powers and sums are tables, one for steps within a block and one for whole blocks. What differs from step to
step of the training are four numbers for each Drop layer, the first s and inc, which the host makes from the seed.

A number of 128 bits is a pair of int64, high and low, which wrap as unsigned numbers do.
"""

from functools import cache
from math import prod

import numpy as np
import torch
from torch import Tensor

from network.layers import Drop
from network.randomness import dropout_threshold, stream
from network.spec import NetworkSpec
from sim.engine import Settings

MULTIPLIER = 0x2360ED051FC65DA44385DF649FCCF645  # A of PCG64
BLOCK = 1024  # words of 64 bits, each the draws of four units
_LOW = 2**32 - 1

Wide = tuple[Tensor, Tensor]  # high and low


class Masks:
    """Which units every Drop layer keeps: `sim.engine.dropout_masks` on the device.

    Parameters
    ----------
    spec : NetworkSpec
    settings : Settings
        Whose `seed` and `dropout_mask` count.
    device : str
    """

    def __init__(self, spec: NetworkSpec, settings: Settings, device: str) -> None:
        self._seed, self._device = settings.seed, device
        self._one_for_all = settings.dropout_mask == "per-batch"
        self._drops = [(k, node) for k, node in enumerate(spec.nodes) if isinstance(node.layer, Drop)]
        self._within = _staged(_jumps(BLOCK, 1, 1), device)
        self._blocks: dict[int, Tensor] = {}

    def streams(self, step: int, updates: int) -> Tensor:
        """Where the draws of so many updates begin, from update `step` on: (updates, drops, 4), made on the host."""
        begins = [[_begin(self._seed, step + u, k) for k, _ in self._drops] for u in range(updates)]
        return torch.from_numpy(np.array(begins, np.uint64).reshape(updates, len(self._drops), 4).view(np.int64))

    def kept(self, streams: Tensor, count: int) -> dict[str, Tensor]:
        """By node name, bool (count, *shape), or (1, *shape) where all images of a batch have the same.

        `streams` is the row of one update, on the device.
        """
        found, count = {}, 1 if self._one_for_all else count
        for stream_of, (_, node) in zip(streams, self._drops, strict=True):
            assert isinstance(node.layer, Drop)
            shape = (count, *node.shape)
            found[node.name] = self.draw(stream_of, prod(shape), dropout_threshold(node.layer.fraction)).view(shape)
        return found

    def draw(self, begin: Tensor, units: int, threshold: int) -> Tensor:
        """Which of so many units are kept, (units,); `begin` is one entry of `streams`."""
        state = _jump(_jump((begin[0], begin[1]), begin[2:], self.blocks(units)[..., None]), begin[2:], self._within)
        words = _scrambled(state).view(-1)
        draws = words.view(torch.int16)[:units].to(torch.int32) & 0xFFFF
        return draws >= threshold

    def blocks(self, units: int) -> Tensor:
        """The table for whole blocks, as many as so many units take: (4, blocks)."""
        count = -(-units // (4 * BLOCK))
        if count not in self._blocks:
            self._blocks[count] = _staged(_jumps(count, 0, BLOCK), self._device)
        return self._blocks[count]

    @property
    def within(self) -> Tensor:
        """The table for steps within a block: (4, BLOCK)."""
        return self._within


def _begin(seed: int, step: int, position: int) -> list[int]:
    """The first state and the increment of one layer's draws: each as its high and its low 64 bits."""
    state = stream(seed, "dropout", step, position).bit_generator.state["state"]
    return [part for number in (state["state"], state["inc"]) for part in divmod(number, 2**64)]


@cache
def _jumps(count: int, first: int, stride: int) -> np.ndarray:
    """A^n and 1 + A + ... + A^(n-1) for n = first, first + stride, ...: (4, count), high and low of each."""

    def further(factor: int, total: int, steps: int) -> tuple[int, int]:
        for _ in range(steps):
            factor, total = factor * MULTIPLIER % 2**128, (total * MULTIPLIER + 1) % 2**128
        return factor, total

    by_stride = further(1, 0, stride)
    jump, jumps = further(1, 0, first), []
    for _ in range(count):
        jumps.append([part for number in jump for part in divmod(number, 2**64)])
        jump = jump[0] * by_stride[0] % 2**128, (jump[1] * by_stride[0] + by_stride[1]) % 2**128
    return np.array(jumps, np.uint64).T.copy()


def _staged(table: np.ndarray, device: str) -> Tensor:
    return torch.from_numpy(table.view(np.int64)).to(device)


def _jump(state: Wide, increment: Tensor, table: Tensor) -> Wide:
    """States as many steps later as `table` says."""
    moved, added = _times((table[0], table[1]), state), _times((table[2], table[3]), (increment[0], increment[1]))
    low = moved[1] + added[1]
    return moved[0] + added[0] + _is_below(low, moved[1]).to(torch.int64), low


def _times(a: Wide, b: Wide) -> Wide:
    """a b, modulo 2^128."""
    return _high_of_product(a[1], b[1]) + a[0] * b[1] + a[1] * b[0], a[1] * b[1]


def _high_of_product(a: Tensor, b: Tensor) -> Tensor:
    """The upper 64 of the 128 bits of a b, both unsigned, by halves."""
    a0, a1, b0, b1 = a & _LOW, (a >> 32) & _LOW, b & _LOW, (b >> 32) & _LOW
    outer, inner = a1 * b0, a0 * b1
    middle = ((a0 * b0 >> 32) & _LOW) + (outer & _LOW) + (inner & _LOW)
    return a1 * b1 + ((outer >> 32) & _LOW) + ((inner >> 32) & _LOW) + (middle >> 32)


def _is_below(a: Tensor, b: Tensor) -> Tensor:
    """a < b, both unsigned."""
    sign = torch.iinfo(torch.int64).min
    return (a ^ sign) < (b ^ sign)


def _scrambled(state: Wide) -> Tensor:
    """The generator's output: high xor low, rotated to the right by the six highest bits."""
    mixed, turn = state[0] ^ state[1], (state[0] >> 58) & 63
    shifted = (mixed >> turn) & ~((torch.full_like(turn, -1) << (63 - turn)) << 1)
    return shifted | (mixed << ((64 - turn) & 63))
