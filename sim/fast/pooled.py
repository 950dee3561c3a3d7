"""A convolution below a pooling, whose units mostly get no feedback."""

from torch import Tensor

from network.layers import Conv, Local, Maxpool, Sum
from network.spec import NetworkSpec, Node
from sim.event.space import Space
from sim.event.threads import share
from sim.fast import pooled_kernels as kernels
from sim.fast.simd import lanes
from sim.fast.simd_active import GROUP
from sim.fast.stages import as_maps, flat
from sim.fast.synapses import ConvSynapses, add

SPARSE = 2  # stride of a pooling from which on at most a quarter of the units below has feedback


class PooledSynapses(ConvSynapses):
    """A convolution that learns, and feeds back, by lists of the units that have feedback themselves."""

    def __init__(self, spec: NetworkSpec, node: Node, late: bool, space: Space) -> None:
        super().__init__(spec, node, late)
        assert isinstance(node.layer, Conv)
        (channels, height, width), (filters, _, _) = node.source_shapes[0], node.shape
        self._geometry = (height, width, channels, filters, *node.layer.kernel)
        self._space = space

    def back(self, R: Tensor, delta: Tensor) -> Tensor:
        height, width, channels, *_ = self._geometry
        delta_, turned = flat(delta), flat(R)
        shape = (len(delta), height * width * channels)
        received = self._space.empty("feedback", self.name, shape=shape, dtype=delta_.dtype)
        share(
            lambda begin, end: kernels.feedback_of_few(
                delta_, begin, end, self._geometry, turned, lanes(delta_.itemsize), received.reshape(-1)
            ),
            len(delta),
            delta_.size,
        )
        return as_maps(received, (height, width, channels))

    def learn(self, delta: Tensor, scale: float, targets: list[Tensor], masks: list[Tensor | None]) -> None:
        _, _, channels, filters, kh, kw = self._geometry
        delta_, x = flat(delta), flat(self._below)
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


def gets_little_feedback(spec: NetworkSpec, node: Node) -> bool:
    """Whether nothing but a sparse pooling feeds back to the units of `node`, directly or through a ``SUM``."""
    layer, name = node.layer, node.name
    if not isinstance(layer, Conv) or isinstance(layer, Local) or any(k % 2 == 0 for k in layer.kernel):
        return False
    if node.shape[0] % GROUP or node.source_shapes[0][0] % GROUP:
        return False
    while True:
        readers = [reader for reader in spec.nodes if name in reader.sources]
        if len(readers) != 1:
            return False
        if isinstance(readers[0].layer, Maxpool):
            return readers[0].layer.stride >= SPARSE
        if not isinstance(readers[0].layer, Sum):
            return False
        name = readers[0].name
