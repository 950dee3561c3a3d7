"""What single layers compute, on torch tensors: each function is one line of section 3.

Maps are (N, C, H, W), fully connected activity is (N, units); W and R are in the layouts of `network.layers`. All
functions run on the tensors' own device and in their own precision.
"""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.grad import conv2d_weight

from network.layers import Conv, Local, Pool, Weighted
from network.rules import Rule
from sim import torch_windows


def input_of_units(layer: Weighted, W: Tensor, x: Tensor) -> Tensor:
    """h = W x, equation (1)."""
    if isinstance(layer, Conv) and not layer.is_plain:
        return torch_windows.input_of_units(layer, W, x)
    if isinstance(layer, Local):
        return torch.einsum("ohwq,nqhw->nohw", W.flatten(3), _patches(layer, x))
    if isinstance(layer, Conv):
        return F.conv2d(_pad(layer, x), W, padding=_own_padding(layer))
    return x.flatten(1) @ W.T


def feedback_to_source(layer: Weighted, R: Tensor, delta: Tensor, source: tuple[int, ...]) -> Tensor:
    """R' delta: what the units of the layer below receive, before sigma' (equation 2); (N, *source)."""
    if isinstance(layer, Conv) and not layer.is_plain:
        return torch_windows.feedback_to_source(layer, R, delta, source)
    if isinstance(layer, Local):
        patches = torch.einsum("ohwq,nohw->nqhw", R.flatten(3), delta)
        (top, bottom), (left, right) = same_padding(layer)
        height, width = source[1] + top + bottom, source[2] + left + right
        return _crop(layer, F.fold(patches.flatten(2), (height, width), layer.kernel), source)
    if isinstance(layer, Conv):
        padded = F.conv_transpose2d(delta, R, padding=_own_padding(layer))
        return padded if _is_odd(layer) else _crop(layer, padded, source)
    return (delta @ R).reshape(len(delta), *source)


def hebbian(layer: Weighted, delta: Tensor, x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Sum over the batch of delta_i x_j for every pair of connected units, in W's layout `shape`."""
    if isinstance(layer, Conv) and not layer.is_plain:
        return torch_windows.hebbian(layer, delta, x, shape)
    if isinstance(layer, Local):
        return torch.einsum("nohw,nqhw->ohwq", delta, _patches(layer, x)).reshape(shape)
    if isinstance(layer, Conv):
        padding = _own_padding(layer)  # torch takes a pair, though its annotation says int
        return conv2d_weight(_pad(layer, x), shape, delta, padding=padding)  # pyright: ignore[reportArgumentType]
    return delta.T @ x.flatten(1)


def shut_off(feedback: Tensor, x: Tensor, *, in_place: bool = False) -> Tensor:
    """Equation (3): feedback where -1 < x < 1, 0 where the unit is saturated; in one pass over memory."""
    if in_place:
        return torch.ops.aten.hardtanh_backward.grad_input(feedback, x, -1.0, 1.0, grad_input=feedback)
    return torch.ops.aten.hardtanh_backward(feedback, x, -1.0, 1.0)


def max_pool(layer: Pool, anchor: str, x: Tensor) -> tuple[Tensor, Tensor]:
    """The maximum of every window, and which pixel it is (the first of several), for `max_pool_feedback` to know."""
    before = _own_zeros(layer, anchor, x)
    if before is None:
        return F.max_pool2d(_pad_windows(layer, anchor, x), layer.size, layer.stride, return_indices=True)
    pooled, winner = F.max_pool2d(x, layer.size, layer.stride, before, return_indices=True)
    for part in _windows_with_zeros(layer, before, pooled):
        part.clamp_(min=0)  # torch pads with -inf
    return pooled, winner


def max_pool_feedback(
    layer: Pool, anchor: str, ties: str, feedback: Tensor, x: Tensor, pooled: Tensor, winner: Tensor
) -> Tensor:
    """Feedback routed to the winner of every window, or to every pixel that ties with it; as `x`."""
    before = _own_zeros(layer, anchor, x)
    if ties == "first" and before is not None:
        feedback = feedback.clone(memory_format=torch.channels_last)  # any other layout is many times slower
        both = (_windows_with_zeros(layer, before, each) for each in (feedback, pooled))
        for sent, largest in zip(*both, strict=True):
            sent.masked_fill_(largest == 0, 0)  # a zero comes first in these windows, and wins where it is the maximum
        window = [layer.size] * 2, [layer.stride] * 2, [before] * 2, [1, 1], False
        return torch.ops.aten.max_pool2d_with_indices_backward(feedback, x, *window, winner)
    if ties == "first":
        (top, bottom), (left, right) = (layer.padding(anchor, n) for n in x.shape[2:])
        shape = (*x.shape[:2], x.shape[2] + top + bottom, x.shape[3] + left + right)
        like_padded = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
        window = [layer.size] * 2, [layer.stride] * 2, [0, 0], [1, 1], False
        feedback = feedback.contiguous(memory_format=torch.channels_last)  # any other layout is many times slower
        received = torch.ops.aten.max_pool2d_with_indices_backward(feedback, like_padded, *window, winner)
    else:
        padded = _pad_windows(layer, anchor, x)
        received = torch.zeros_like(padded)
        for pixel in _pixels(layer, pooled.shape):
            received[pixel] += feedback * (padded[pixel] == pooled)
    return _crop_windows(layer, anchor, received, x)


def average_pool(layer: Pool, anchor: str, x: Tensor) -> Tensor:
    """The sum over every window divided by K^2, zeros of the padding included."""
    return F.avg_pool2d(_pad_windows(layer, anchor, x), layer.size, layer.stride)


def average_pool_feedback(layer: Pool, anchor: str, feedback: Tensor, x: Tensor) -> Tensor:
    """Feedback shared evenly among the K^2 pixels of every window; as `x`."""
    received = torch.zeros_like(_pad_windows(layer, anchor, x))
    for pixel in _pixels(layer, feedback.shape):
        received[pixel] += feedback / layer.size**2
    return _crop_windows(layer, anchor, received, x)


def same_padding(layer: Conv) -> tuple[tuple[int, int], tuple[int, int]]:
    """Zeros (before, after) for rows and columns of a 'same' convolution: (k-1)//2 before, the rest after."""
    rows, columns = (((k - 1) // 2, k - 1 - (k - 1) // 2) for k in layer.kernel)
    return rows, columns


def _is_odd(layer: Conv) -> bool:
    return layer.kernel[0] % 2 == 1 and layer.kernel[1] % 2 == 1


def _own_padding(layer: Conv) -> tuple[int, int]:
    """The convolution pads by itself where both sides get the same, without a copy of the maps."""
    return ((layer.kernel[0] - 1) // 2, (layer.kernel[1] - 1) // 2) if _is_odd(layer) else (0, 0)


def _pad(layer: Conv, x: Tensor) -> Tensor:
    if _is_odd(layer) and not isinstance(layer, Local):
        return x
    rows, columns = same_padding(layer)
    return F.pad(x, (*columns, *rows))


def _crop(layer: Conv, padded: Tensor, source: tuple[int, ...]) -> Tensor:
    (top, _), (left, _) = same_padding(layer)
    return padded[:, :, top : top + source[1], left : left + source[2]]


def _patches(layer: Local, x: Tensor) -> Tensor:
    """For each position, what its filter sees: (N, in * kh * kw, H, W)."""
    return F.unfold(_pad(layer, x), layer.kernel).unflatten(2, x.shape[2:])


def _pad_windows(layer: Pool, anchor: str, x: Tensor) -> Tensor:
    rows, columns = (layer.padding(anchor, n) for n in x.shape[2:])
    return F.pad(x, (*columns, *rows))


def _own_zeros(layer: Pool, anchor: str, x: Tensor) -> int | None:
    """Zeros before rows and columns where torch itself can pad, without a copy of the maps: no zeros follow them."""
    (top, bottom), (left, right) = (layer.padding(anchor, n) for n in x.shape[2:])
    counts = [(n + 2 * top - layer.size) // layer.stride + 1 for n in x.shape[2:]]  # torch pads behind them too
    is_own = top == left and bottom == right == 0 and counts == [layer.windows(n) for n in x.shape[2:]]
    return top if is_own else None


def _windows_with_zeros(layer: Pool, before: int, pooled: Tensor) -> list[Tensor]:
    """The parts of the pooled maps whose windows begin with zeros: the first rows, the first columns."""
    count = -(-before // layer.stride)
    return [pooled[:, :, :count], pooled[:, :, :, :count]] if count else []


def _crop_windows(layer: Pool, anchor: str, padded: Tensor, x: Tensor) -> Tensor:
    top, left = (layer.padding(anchor, n)[0] for n in x.shape[2:])
    return padded[:, :, top : top + x.shape[2], left : left + x.shape[3]]


def _pixels(layer: Pool, pooled: tuple[int, ...]) -> list[tuple[slice, ...]]:
    """Each pixel of the window, as the part of the padded maps that holds it for all windows."""

    def steps(first: int, count: int) -> slice:
        return slice(first, first + (count - 1) * layer.stride + 1, layer.stride)

    both = slice(None), slice(None)
    return [(*both, steps(a, pooled[2]), steps(b, pooled[3])) for a in range(layer.size) for b in range(layer.size)]


def with_signs_of(W: Tensor, factors: Tensor) -> Tensor:
    """factors o sign(W), where sign(0) is 1: `network.feedback.with_signs_of`."""
    # Three times as fast as torch.where, which has no vectors on the CPU; + 0 gives -0 the sign of 0.
    return factors * torch.copysign(W.new_ones(()), W + 0)


def shares(
    rule: Rule, increment: Tensor, W: Tensor, R: Tensor | None, mask_W: Tensor | None, mask_R: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    """What W and R get of the same Hebbian increment (section 3.1), with the connections that exist.

    Parameters
    ----------
    rule : Rule
        R gets `feedback_rate` of it; both lose `feedback_decay` of what they are.
    increment, W, R, mask_W, mask_R : torch.Tensor
        In W's layout. R is None where it does not learn by increments, a mask where all connections exist.

    Returns
    -------
    dW, dR : torch.Tensor
        dR is None where R is.
    """
    dW = increment if mask_W is None else increment * mask_W
    if R is None:
        return dW, None
    dR = increment if rule.feedback_rate == 1 else rule.feedback_rate * increment
    dR = dR if mask_R is None else dR * mask_R
    if rule.feedback_decay:
        dW, dR = dW - rule.feedback_decay * W, dR - rule.feedback_decay * R
    return dW, dR
