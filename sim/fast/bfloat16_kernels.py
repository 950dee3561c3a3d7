"""What the compiled kernels do with bfloat16 maps (uint16): they add up and compare in float32, then round."""

import numpy as np

from circuits.compiled import compiled
from sim.fast.conv_kernels import hebbian_of_winners
from sim.fast.pool_kernels import finish, max_pool, send_back
from sim.fast.simd_bfloat16 import narrow_block, narrow_vector, put, widen_vector
from sim.fast.tiles import height as next_height

LANES = 16  # numbers in a vector of float32


@compiled
def narrow(x, rounded):
    """float32 to bfloat16, as many as a multiple of 16."""
    for i in range(0, len(x), 16):
        narrow_vector(x, i, rounded, i)


@compiled
def narrow_blocks(x, rounded):
    """As `narrow`, in the order in which rows of full layers are stored, as many as a multiple of 32."""
    for i in range(0, len(x), 32):
        narrow_block(x, i, rounded, i)


@compiled
def widen(rounded, x):
    """bfloat16 to float32, as many as a multiple of 16."""
    for i in range(0, len(x), 16):
        widen_vector(rounded, i, x, i)


@compiled
def convolve(padded, x0, row, channels, kh, pairs, W, height, width, filters, h):
    """h = W x of one image, equation (1), as `sim.fast.conv_kernels.convolve`; W is (kh, pairs, filters, 2)."""
    for i in range(height):
        for f in range(0, filters, 2 * LANES):
            two, j = f + 2 * LANES <= filters, 0
            while j < width:
                rows = next_height(width - j)
                at, to = x0 + i * row + j * channels, (i * width + j) * filters + f
                put(rows, two, padded, at, channels, kh, row, pairs, W, 2 * f, 2 * filters, h, to, filters)
                j += rows


@compiled
def convolve_images(padded, image, row, channels, kernel, W, gain, begin, end, shape, h, h_step, x):
    """x = clip(gain W x', -1, 1) for images `begin` to `end`; h as for `convolve_and_pool`."""
    kh, pairs = kernel
    height, width, filters = shape
    one = np.float32(1)
    saturated = np.empty(height * width * filters, np.float32)
    for n in range(begin, end):
        of_image = h[(n - begin) * h_step :]
        convolve(padded, n * image, row, channels, kh, pairs, W, height, width, filters, of_image)
        for u in range(len(saturated)):
            value = gain * of_image[u]
            value = one if value > one else value
            saturated[u] = -one if value < -one else value
        narrow(saturated, x[n])


@compiled
def convolve_and_pool(
    padded, image, row, channels, kernel, W, begin, end, shape, window, gain, draws, threshold, scale, h, h_step,
    pooled, code,
):  # fmt: skip
    """As `sim.fast.conv_kernels.convolve_and_pool`: what the pooling puts out is rounded, h is not."""
    size, stride, top, left = window
    height, width, filters, _, _ = shape
    kh, pairs = kernel
    maxima, kept = np.empty(pooled.shape[1], np.float32), np.empty(pooled.shape[1], np.uint8)
    for n in range(begin, end):
        of_image = h[(n - begin) * h_step :]
        convolve(padded, n * image, row, channels, kh, pairs, W, height, width, filters, of_image)
        max_pool(of_image, shape, size, stride, top, left, LANES, maxima, code[n])
        finish(True, gain, draws[n - begin], filters, threshold, scale, kept, maxima, code[n])
        narrow(maxima, pooled[n])


@compiled
def hebbian_of_images(
    padded, image, row, channels, kh, units, code, feedback, scale, window, begin, end, sums
):  # fmt: skip
    """As `sim.fast.conv_kernels.hebbian_of_winners`; code and feedback are (N, units)."""
    size, stride, top, left = window
    pixels = np.zeros(-(-image // 16) * 16 + 4 * LANES, np.float32)
    for n in range(begin, end):
        widen(padded[n * image :], pixels[: -(-image // 16) * 16])
        hebbian_of_winners(
            pixels, image, row, channels, kh, units, code[n], feedback[n], scale, size, stride, top, left, 0, 1, LANES,
            sums,
        )  # fmt: skip


@compiled
def pool_images(x, shape, window, saturates, gain, draws, threshold, scale, pooled, code):
    """As `sim.fast.pool_kernels.pool_images`; x is (N, H * W * C)."""
    size, stride, top, left = window
    maps, maxima = np.empty(x.shape[1], np.float32), np.empty(pooled.shape[1], np.float32)
    kept = np.empty(pooled.shape[1], np.uint8)
    for n in range(len(pooled)):
        widen(x[n], maps)
        max_pool(maps, shape, size, stride, top, left, LANES, maxima, code[n])
        finish(saturates, gain, draws[n], shape[2], threshold, scale, kept, maxima, code[n])
        narrow(maxima, pooled[n])


@compiled
def send_images_back(feedback, code, scale, shape, window, received):
    """As `sim.fast.pool_kernels.send_images_back`, of float32 feedback."""
    size, stride, top, left = window
    maps = np.empty(received.shape[1], np.float32)
    for n in range(len(received)):
        send_back(feedback[n], code[n], scale, shape, size, stride, top, left, maps)
        narrow(maps, received[n])
