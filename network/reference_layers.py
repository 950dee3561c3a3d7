"""What single layers compute, slowly and plainly, in NumPy: the vocabulary of `network.reference`.

Shapes: maps are (N, C, H, W), fully connected activity is (N, units). Feedback always has the shape of what it is
feedback to.
"""

from collections.abc import Iterator

import numpy as np

from network.layers import Conv, Local, Pool, Weighted


def saturate(h: np.ndarray, gain: float) -> np.ndarray:
    """x = sigma(h) = clip(g h, -1, 1)."""
    return np.clip(gain * h, -1.0, 1.0)


def activity(layer: Weighted, h: np.ndarray, gain: float) -> np.ndarray:
    """x = sigma(h): saturated, or rectified."""
    return np.maximum(gain * h, 0.0) if layer.activation == "relu" else saturate(h, gain)


def slope(layer: Weighted, h: np.ndarray, gain: float) -> np.ndarray:
    """sigma'(h): g, or 0 where the unit is shut off. A saturated unit is, at |g h| = 1 too (equation 3); so is a
    rectified unit without input, at h = 0 too.
    """
    passes = h > 0 if layer.activation == "relu" else np.abs(gain * h) < 1
    return gain * passes


def input_of_units(layer: Weighted, W: np.ndarray, x: np.ndarray) -> np.ndarray:
    """h = W x, equation (1)."""
    if not isinstance(layer, Conv):
        return x.reshape(len(x), -1) @ W.T
    pair = "ohwc,nchw->nohw" if isinstance(layer, Local) else "oc,nchw->nohw"
    h = np.zeros((len(x), *layer.shape(x.shape[1:])))
    padded = _pad(layer, x)
    for a, b, window in _offsets(layer, h.shape):
        h += np.einsum(pair, W[..., a, b], padded[window], optimize=True)
    return h


def feedback_to_source(layer: Weighted, R: np.ndarray, delta: np.ndarray, source: tuple[int, ...]) -> np.ndarray:
    """R' delta: what the units of the layer below receive, before sigma' (equation 2)."""
    if not isinstance(layer, Conv):
        return (delta @ R).reshape(len(delta), *source)
    pair = "ohwc,nohw->nchw" if isinstance(layer, Local) else "oc,nohw->nchw"
    received = np.zeros((len(delta), *source))
    padded = _pad(layer, received)
    for a, b, window in _offsets(layer, delta.shape):
        padded[window] += np.einsum(pair, R[..., a, b], delta, optimize=True)
    (top, _), (left, _) = layer.pads
    return padded[:, :, top : top + source[1], left : left + source[2]]


def hebbian(layer: Weighted, delta: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Sum over the batch of delta_i x_j for every pair of connected units, in W's layout.

    A convolution's shared weight collects the products of all positions; a Local layer's weight has one position.
    """
    if not isinstance(layer, Conv):
        return delta.T @ x.reshape(len(x), -1)
    pair = "nohw,nchw->ohwc" if isinstance(layer, Local) else "nohw,nchw->oc"
    padded = _pad(layer, x)
    products = [np.einsum(pair, delta, padded[window], optimize=True) for _, _, window in _offsets(layer, delta.shape)]
    return np.stack(products, axis=-1).reshape(*products[0].shape, *layer.kernel)


def windows(layer: Pool, anchor: str, x: np.ndarray) -> np.ndarray:
    """The K^2 pixels of every pooling window, row by row: (K*K, N, C, H', W')."""
    padded = np.pad(x, ((0, 0), (0, 0), *(layer.padding(anchor, n) for n in x.shape[2:])))
    return np.stack([padded[pixel] for pixel in _pixels(layer, x.shape)])


def from_windows(layer: Pool, anchor: str, parts: np.ndarray, source: tuple[int, ...]) -> np.ndarray:
    """Add up what each pixel of `source` (C, H, W) gets from all windows it lies in; the padding's share is lost."""
    shape = (parts.shape[1], *source)
    pads = [layer.padding(anchor, n) for n in source[1:]]
    padded = np.zeros((*shape[:2], *(n + before + after for n, (before, after) in zip(source[1:], pads, strict=True))))
    for part, pixel in zip(parts, _pixels(layer, shape), strict=True):
        padded[pixel] += part
    (top, _), (left, _) = pads
    return padded[:, :, top : top + source[1], left : left + source[2]]


def winners(pixels: np.ndarray, ties: str) -> np.ndarray:
    """Which pixel of each window won: True once for ``"first"``, at every equal maximum for ``"all"``. As `pixels`."""
    if ties == "all":
        return pixels == pixels.max(axis=0)
    return pixels.argmax(axis=0) == np.arange(len(pixels)).reshape(-1, 1, 1, 1, 1)


def _pad(layer: Conv, x: np.ndarray) -> np.ndarray:
    return np.pad(x, ((0, 0), (0, 0), *layer.pads))


def _offsets(layer: Conv, shape: tuple[int, ...]) -> Iterator[tuple[int, int, tuple[slice, ...]]]:
    """Each synapse (a, b) of the kernel, and the part of the padded maps it sees as the filter slides to `shape`."""
    rows, columns = shape[2:]
    for a in range(layer.kernel[0]):
        for b in range(layer.kernel[1]):
            row = slice(a, a + (rows - 1) * layer.stride + 1, layer.stride)
            column = slice(b, b + (columns - 1) * layer.stride + 1, layer.stride)
            yield a, b, (slice(None), slice(None), row, column)


def _pixels(layer: Pool, shape: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    """Each pixel of the pooling window, as the part of the padded maps that holds it for all windows."""
    rows, columns = map(layer.windows, shape[2:])
    for a in range(layer.size):
        for b in range(layer.size):
            row = slice(a, a + (rows - 1) * layer.stride + 1, layer.stride)
            column = slice(b, b + (columns - 1) * layer.stride + 1, layer.stride)
            yield slice(None), slice(None), row, column
