"""Convolutions and local layers with strides or without padding, on torch tensors: `sim.torch_ops` for any windows.

The maps are padded once, by the layer's own zeros; what falls on the padding on the way back is lost.
"""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.grad import conv2d_input, conv2d_weight

from network.layers import Conv, Local


def input_of_units(layer: Conv, W: Tensor, x: Tensor) -> Tensor:
    """h = W x, equation (1)."""
    if isinstance(layer, Local):
        return torch.einsum("ohwq,nqhw->nohw", W.flatten(3), _patches(layer, x))
    return F.conv2d(_pad(layer, x), W, stride=layer.stride)


def feedback_to_source(layer: Conv, R: Tensor, delta: Tensor, source: tuple[int, ...]) -> Tensor:
    """R' delta: what the units of the layer below receive, before sigma' (equation 2); (N, *source)."""
    (top, bottom), (left, right) = layer.pads
    channels, height, width = source
    padded = (height + top + bottom, width + left + right)
    if isinstance(layer, Local):
        patches = torch.einsum("ohwq,nohw->nqhw", R.flatten(3), delta)
        received = F.fold(patches.flatten(2), padded, layer.kernel, stride=layer.stride)
    else:
        received = conv2d_input((len(delta), channels, *padded), R, delta, stride=layer.stride)
    return received[:, :, top : top + height, left : left + width]


def hebbian(layer: Conv, delta: Tensor, x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Sum over the batch of delta_i x_j for every pair of connected units, in W's layout `shape`."""
    if isinstance(layer, Local):
        return torch.einsum("nohw,nqhw->ohwq", delta, _patches(layer, x)).reshape(shape)
    return conv2d_weight(_pad(layer, x), shape, delta, stride=layer.stride)


def _pad(layer: Conv, x: Tensor) -> Tensor:
    rows, columns = layer.pads
    return F.pad(x, (*columns, *rows)) if layer.padding == "same" else x


def _patches(layer: Local, x: Tensor) -> Tensor:
    """For each position, what its filter sees: (N, in * kh * kw, rows, columns)."""
    _, rows, columns = layer.shape(tuple(x.shape[1:]))
    return F.unfold(_pad(layer, x), layer.kernel, stride=layer.stride).unflatten(2, (rows, columns))
