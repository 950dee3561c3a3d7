"""Max-pooling with the saturation before it and the dropout after it, compiled; maps are (H, W, C), flat.

A unit's code is the place of the winner in its window, counted by row, or one of the two below.
"""

import numpy as np

from circuits.compiled import compiled
from sim.fast.simd_codes import bits_below, lowest_bit, window_maximum

SHUT = 254  # no feedback passes: the winner is saturated, or lies in the padding
DROPPED = 255


@compiled
def max_pool(x, shape, size, stride, top, left, lanes, pooled, code):
    """The maxima of one image's windows, zeros of the padding included, and the codes of those that win first.

    x begins with the image, `shape` is (H, W, C, H', W'); C is a multiple of `lanes`.
    """
    height, width, channels, rows, columns = shape
    places, names = np.empty(size * size, np.int64), np.empty(size * size, np.uint8)
    for i in range(rows):
        for j in range(columns):
            for a in range(size):
                for b in range(size):
                    row, column = i * stride + a - top, j * stride + b - left
                    inside = 0 <= row < height and 0 <= column < width
                    places[a * size + b] = (row * width + column) * channels if inside else -1
                    names[a * size + b] = a * size + b if inside else SHUT
            to = (i * columns + j) * channels
            for c in range(0, channels, lanes):
                if size == 3:
                    window_maximum(9, places, names, x, c, pooled, to + c, code, to + c)
                elif size == 2:
                    window_maximum(4, places, names, x, c, pooled, to + c, code, to + c)
                else:
                    pixel(size * size, places, names, x, c, lanes, pooled, to + c, code)


@compiled
def pixel(taps, places, names, x, c0, lanes, pooled, to, code):
    """`window_maximum` for windows of any size."""
    for c in range(lanes):
        best, name = (x[places[0] + c0 + c] if places[0] >= 0 else x.dtype.type(0)), names[0]
        for k in range(1, taps):
            value = x[places[k] + c0 + c] if places[k] >= 0 else x.dtype.type(0)
            if value > best:
                best, name = value, names[k]
        pooled[to + c], code[to + c] = best, name


@compiled
def saturate(gain, pooled, code):
    """Maxima of h become those of clip(gain h, -1, 1): clip is monotone. Saturated winners are shut off (3)."""
    one = pooled.dtype.type(1)
    for u in range(len(pooled)):
        value = gain * pooled[u]
        code[u] = code[u] if -one < value < one else np.uint8(SHUT)
        value = one if value > one else value  # what is not a number stays so
        pooled[u] = -one if value < -one else value


@compiled
def turn(draws, pixels, channels, threshold, kept):
    """Which units dropout keeps, from draws in the order C, H, W, into the order H, W, C."""
    for c in range(channels):
        for p in range(pixels):
            kept[p * channels + c] = draws[c * pixels + p] >= threshold


@compiled
def drop(kept, scale, x, code):
    """Units that are not kept become 0, others count `scale` times."""
    zero = x.dtype.type(0)
    for u in range(len(x)):
        x[u] = scale * x[u] if kept[u] else zero
        code[u] = code[u] if kept[u] else np.uint8(DROPPED)


@compiled
def send_back(feedback, code, scale, shape, size, stride, top, left, received):
    """Feedback of one image's windows, `scale` times, to the pixels that won; `shape` as in `max_pool`."""
    _, width, channels, rows, columns = shape
    tap_at = np.empty(size * size, np.int64)
    for tap in range(size * size):
        tap_at[tap] = (tap // size * width + tap % size) * channels
    received[:] = 0
    u = 0
    for i in range(rows):
        for j in range(columns):
            corner = ((i * stride - top) * width + j * stride - left) * channels
            for first in range(0, channels, 16):
                bits = bits_below(code, u, SHUT)
                while bits:
                    k = lowest_bit(bits)
                    bits &= bits - np.uint64(1)
                    received[corner + tap_at[code[u + k]] + first + k] += scale * feedback[u + k]
                u += 16


@compiled
def keep_only(code, scale, feedback):
    """Feedback of dropped units becomes 0, that of others counts `scale` times."""
    zero = feedback.dtype.type(0)
    for u in range(len(feedback)):
        feedback[u] = zero if code[u] == DROPPED else scale * feedback[u]


@compiled
def pool_images(x, shape, window, lanes, saturates, gain, draws, threshold, scale, pooled, code):
    """Everything that happens between the input h of units and what the next layer reads, image by image.

    x is (N * H * W * C); `draws` (N, C * H' * W'), or (N, 0) where nothing is dropped; `pooled` and `code` (N, units).
    """
    size, stride, top, left = window
    height, width, channels, _, _ = shape
    image = height * width * channels
    kept = np.empty(pooled.shape[1], np.uint8)
    for n in range(len(pooled)):
        max_pool(x[n * image :], shape, size, stride, top, left, lanes, pooled[n], code[n])
        finish(saturates, gain, draws[n], channels, threshold, scale, kept, pooled[n], code[n])


@compiled
def finish(saturates, gain, draws, channels, threshold, scale, kept, pooled, code):
    """What happens to one image's maxima: saturation, then dropout. `kept` is for its own use."""
    if saturates:
        saturate(gain, pooled, code)
    if len(draws):
        turn(draws, len(pooled) // channels, channels, threshold, kept)
        drop(kept, scale, pooled, code)


@compiled
def send_images_back(feedback, code, scale, shape, window, received):
    """`send_back` for every image."""
    size, stride, top, left = window
    for n in range(len(received)):
        send_back(feedback[n], code[n], scale, shape, size, stride, top, left, received[n])
