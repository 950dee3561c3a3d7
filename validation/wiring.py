"""Every synapse of a network by name: which unit it comes from, which it goes to, which weight it uses.

Written from the definitions of the layers alone, with no convolution and no matrix product, so that what the engines
compute with those can be checked unit by unit. For networks of up to a few million synapses.
"""

from typing import NamedTuple

import numpy as np

from network.layers import Conv, Local, Pool
from network.spec import Node

NOWHERE = -1  # a pixel of the padding


class Wiring(NamedTuple):
    """The synapses between a layer with weights and what it reads; all (synapses,), of whole numbers.

    Attributes
    ----------
    post, pre : numpy.ndarray
        The units, counted in C, H, W order.
    weight : numpy.ndarray
        The place of its weight in the flattened W, and of its feedback weight in R; shared weights occur several times.
    """

    post: np.ndarray
    pre: np.ndarray
    weight: np.ndarray


def wiring_of(node: Node) -> Wiring:
    """All synapses of a layer with weights; those onto the padding do not exist."""
    if not isinstance(node.layer, Conv):
        post, pre = (k.ravel() for k in np.indices(node.weight_shape))
        return Wiring(post, pre, np.arange(post.size))
    channels, height, width = node.source_shapes[0]
    (kh, kw), stride = node.layer.kernel, node.layer.stride
    _, rows, columns = node.shape
    out, i, j, source, a, b = (k.ravel() for k in np.indices((*node.shape, channels, kh, kw)))
    # (k-1)//2 pixels of the kernel lie before its own, where there is padding.
    before = (0, 0) if node.layer.padding == "valid" else ((kh - 1) // 2, (kw - 1) // 2)
    row, column = i * stride + a - before[0], j * stride + b - before[1]
    inside = (0 <= row) & (row < height) & (0 <= column) & (column < width)
    if isinstance(node.layer, Local):
        weight = np.arange(out.size)
    else:
        weight = ((out * channels + source) * kh + a) * kw + b
    post, pre = (out * rows + i) * columns + j, (source * height + row) * width + column
    return Wiring(post[inside], pre[inside], weight[inside])


def windows_of(node: Node, anchor: str) -> np.ndarray:
    """Which units of its source each unit of a pool sees, row by row: (units, K * K); `NOWHERE` for the padding."""
    pool = node.layer
    assert isinstance(pool, Pool)
    _, height, width = node.source_shapes[0]
    before = (pool.size - 1) // 2 if (pool.place or anchor) == "centre" else 0
    shape = (*node.shape, pool.size, pool.size)
    c, i, j, a, b = (k.ravel() for k in np.indices(shape))
    row, column = i * pool.stride + a - before, j * pool.stride + b - before
    inside = (0 <= row) & (row < height) & (0 <= column) & (column < width)
    pixel = (c * height + row) * width + column
    return np.where(inside, pixel, NOWHERE).reshape(-1, pool.size**2)
