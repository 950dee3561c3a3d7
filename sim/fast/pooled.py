"""A convolution below a pooling, whose units mostly get no feedback."""

from torch import Tensor

from network.layers import Conv, Drop, Local, Maxpool, Sum
from network.spec import NetworkSpec, Node
from sim.event.space import Space
from sim.event.threads import share
from sim.fast import pooled_kernels as kernels
from sim.fast.simd import lanes
from sim.fast.simd_active import GROUP
from sim.fast.stages import as_maps, flat
from sim.fast.synapses import ConvSynapses, add

FEW = 1 / 4  # share of units with feedback up to which their lists are worth making
VERY_FEW = 1 / 16  # the same where all products together would be made in bfloat16, twice as fast


class PooledSynapses(ConvSynapses):
    """A convolution that learns, and feeds back, by lists of the units that have feedback themselves.

    Products are made in the precision of the weights; maps may be rounded.
    """

    def __init__(self, spec: NetworkSpec, node: Node, late: bool, space: Space) -> None:
        super().__init__(spec, node, late)
        assert isinstance(node.layer, Conv)
        (channels, height, width), (filters, _, _) = node.source_shapes[0], node.shape
        self._geometry = (height, width, channels, filters, *node.layer.kernel)
        self._space = space

    def back(self, R: Tensor, delta: Tensor) -> Tensor:
        height, width, channels, *_ = self._geometry
        delta_, turned = flat(delta.to(R.dtype)), flat(R.to(delta.dtype).to(R.dtype))
        shape = (len(delta), height * width * channels)
        received = self._space.empty("feedback", self.name, shape=shape, dtype=delta_.dtype)
        share(
            lambda begin, end: kernels.feedback_of_few(
                delta_, begin, end, self._geometry, turned, lanes(delta_.itemsize), received.reshape(-1)
            ),
            len(delta),
            delta_.size,
        )
        return as_maps(received, (height, width, channels)).to(delta.dtype)

    def learn(self, delta: Tensor, scale: float, targets: list[Tensor], masks: list[Tensor | None]) -> None:
        _, _, channels, filters, kh, kw = self._geometry
        delta_, x = (flat(maps.to(targets[0].dtype)) for maps in (delta, self._below))
        increment = self._space.empty("increment", self.name, shape=(filters, kh * kw * channels), dtype=delta_.dtype)
        share(
            lambda begin, end: kernels.hebbian_of_few(
                delta_, len(delta), begin * GROUP, end * GROUP, self._geometry, x, lanes(delta_.itemsize),
                increment.reshape(-1),
            ),
            filters // GROUP,
            delta_.size,
        )  # fmt: skip
        add(as_maps(increment, (kh, kw, channels)), scale, targets, masks)


def share_with_feedback(spec: NetworkSpec, node: Node) -> float:
    """Of the units of a convolution, the most that get feedback in training: winners of windows that are not dropped.

    Of those as many as `Drop` keeps on average. 1 where anything but a pooling feeds back to them, directly or through
    a ``SUM``, or where lists can't be made.
    """
    layer, name = node.layer, node.name
    if not isinstance(layer, Conv) or isinstance(layer, Local) or any(k % 2 == 0 for k in layer.kernel):
        return 1.0
    if node.shape[0] % GROUP or node.source_shapes[0][0] % GROUP:
        return 1.0
    while len(readers := [reader for reader in spec.nodes if name in reader.sources]) == 1:
        match readers[0].layer:
            case Sum():
                name = readers[0].name
            case Maxpool() as pool:
                above = [reader.layer for reader in spec.nodes if readers[0].name in reader.sources]
                kept = 1 - above[0].fraction if len(above) == 1 and isinstance(above[0], Drop) else 1.0
                return kept / pool.stride**2
            case _:
                break
    return 1.0
