"""What lets the torch engine's equations run without needless passes over memory, apart from the equations.

Two things that depend on how layers follow each other: where sigma can wait until a pooling has left fewer units, and
which feedback may be written over.
"""

from collections import Counter

import torch
from torch import Tensor

from network.layers import Full, Maxpool
from network.rules import Rule
from network.spec import NetworkSpec, Node


def saturated_late(spec: NetworkSpec, rule: Rule) -> dict[str, Node]:
    """The layers whose sigma is taken of the maxima of the Maxpool above them, by the name of that.

    sigma is monotone, so the maximum of sigma(h) is sigma of the maximum, and of several equal ones all are shut off.
    No other layer may read them, feedback must reach them through the pooling, and go to the first winner only: before
    sigma, fewer units tie.
    """
    if spec.semantics.pool_ties != "first" or rule.feedback_from == "output":
        return {}
    readers = Counter(name for node in spec.nodes for name in node.sources)
    weighted = {node.name: node for node in spec.weighted if readers[node.name] == 1}
    return {
        node.name: weighted[node.sources[0]]
        for node in spec.nodes
        if isinstance(node.layer, Maxpool) and node.sources[0] in weighted
    }


def flattened(spec: NetworkSpec) -> frozenset[str]:
    """Names of what fully connected layers read: maps are flattened there, so each should lie in one piece."""
    return frozenset(node.sources[0] for node in spec.weighted if isinstance(node.layer, Full))


class Feedback:
    """Feedback on its way down, added up by node.

    What a SUM passes on belongs to both layers that it adds; anything else belongs to its receiver alone, who may write
    over it.
    """

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._shared: set[str] = set()

    def send(self, name: str, feedback: Tensor, *, shared: bool = False) -> None:
        """Add `feedback` to what the node receives; unless it is `shared`, the node may write over it."""
        if name not in self._sums:
            self._sums[name] = feedback
            self._shared.update([name] if shared else [])
        elif shared:
            self._sums[name] = self._sums[name] + feedback
            self._shared.discard(name)
        else:
            self._sums[name] = feedback.add_(self._sums[name])
            self._shared.discard(name)

    def take(self, name: str) -> tuple[Tensor, bool]:
        """What the node has received, and whether it may write over that."""
        return self._sums.pop(name), name not in self._shared


def as_maps(tensor: Tensor) -> Tensor:
    """With the channels of maps together in memory: the faster layout of convolutions and poolings."""
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor
