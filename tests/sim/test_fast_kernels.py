"""Each kernel of the fast path against its plain form."""

import numpy as np
import pytest

from network.layers import Conv, Local, Maxpool
from network.randomness import dropout_draws, dropout_mask
from network.reference_layers import feedback_to_source, from_windows, hebbian, input_of_units, windows, winners
from sim.event.space import aligned
from sim.fast import conv_kernels as fast_conv_kernels
from sim.fast import full_kernels as fast_full_kernels
from sim.fast import local_kernels as fast_local_kernels
from sim.fast import pool_kernels as fast_pool_kernels
from sim.fast import winner_kernels as fast_winner_kernels
from sim.fast.simd import lanes
from validation.tolerances import TOLERANCES

DTYPES = [np.float32, np.float64]


def close(found, expected):
    allowed = TOLERANCES[found.dtype.name].relative * np.abs(expected).max()
    return found.shape == expected.shape and float(np.abs(found - expected).max()) <= allowed


def numbers(rng, *shape, dtype):
    return rng.standard_normal(shape).astype(dtype)


def kept_lists(rng, images, units, dtype):
    """Units that dropout keeps, as codes and lists, and their activity."""
    code = np.where(rng.random((images, units)) < 0.3, 7, fast_pool_kernels.DROPPED).astype(np.uint8)
    code[0] = fast_pool_kernels.DROPPED  # an image without any
    x = np.where(code == 7, numbers(rng, images, units, dtype=dtype), 0).astype(dtype)
    index, value = np.zeros(images * units, np.uint32), np.zeros(images * units, dtype)
    counts = np.zeros(images, np.int64)
    fast_full_kernels.list_kept(code.reshape(-1), 0, images, units, x.reshape(-1), units, index, value, counts)
    return code, x, index, value, counts


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("vectors", [1, 3, 4, 21])
def test_full_layers_by_lists_equal_the_products_of_all_units(dtype, vectors):
    rng, images, units = np.random.default_rng(0), 7, 592
    vector = lanes(np.dtype(dtype).itemsize)
    width = vectors * vector
    code, x, index, value, counts = kept_lists(rng, images, units, dtype)
    W, R = (numbers(rng, units, width, dtype=dtype) for _ in range(2))
    delta = numbers(rng, images, width, dtype=dtype)
    assert (counts == (code == 7).sum(1)).all()

    h = np.zeros(images * width, dtype)
    fast_full_kernels.input_of_units(index, value, units, counts, units, W.reshape(-1), width, h)
    assert close(h.reshape(images, width), x @ W)

    received = np.full(images * units, np.nan, dtype)
    flat = delta.reshape(-1)
    fast_full_kernels.feedback_to_source(index, units, counts, flat, units, R.reshape(-1), width, received)
    received = received.reshape(images, units)
    assert np.isnan(received[code != 7]).all()  # left as it was
    assert close(received[code == 7], (delta @ R.T)[code == 7])

    changed = W.copy(), R.copy()
    for begin, end in ((0, 300), (300, units)):
        fast_full_kernels.hebbian(
            index, value, units, counts, begin, end, flat, width, dtype(0.5),
            changed[0].reshape(-1), changed[1].reshape(-1), True,
        )  # fmt: skip
    for after, before in zip(changed, (W, R), strict=True):
        assert close(after - before, 0.5 * x.T @ delta)
    alone = W.copy().reshape(-1)
    fast_full_kernels.hebbian(index, value, units, counts, 0, units, flat, width, dtype(0.5), alone, alone, False)
    assert np.array_equal(alone, changed[0].reshape(-1))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("size", "stride", "before"), [(3, 2, 1), (2, 2, 0), (4, 3, 1), (3, 1, 1), (1, 2, 0)])
def test_pooling_equals_its_plain_form_winners_and_all(dtype, size, stride, before):
    rng, layer, gain = np.random.default_rng(1), Maxpool(size, stride), 0.5
    # Few values, so that there are ties, saturated units, and zeros that tie with the padding.
    h = rng.integers(-3, 4, (5, 16, 9, 7)).astype(dtype)
    x = np.clip(gain * h, -1, 1)
    pixels = windows(layer, "centre", x)
    rows, columns = pixels.shape[3:]
    assert layer.padding("centre", 9)[0] == before
    shape, window = (9, 7, 16, rows, columns), (size, stride, before, before)
    flat = np.ascontiguousarray(h.transpose(0, 2, 3, 1)).reshape(-1)
    pooled, code = np.empty((5, rows * columns * 16), dtype), np.empty((5, rows * columns * 16), np.uint8)
    fast_pool_kernels.pool_images(
        flat,
        shape,
        window,
        lanes(h.itemsize),
        True,
        dtype(gain),
        np.empty((5, 0), np.uint16),
        0,
        dtype(1),
        pooled,
        code,
    )
    maps = pooled.reshape(5, rows, columns, 16).transpose(0, 3, 1, 2)
    assert np.array_equal(maps, pixels.max(axis=0))

    feedback = numbers(rng, 5, rows, columns, 16, dtype=dtype)
    received = np.empty((5, 9 * 7 * 16), dtype)
    fast_pool_kernels.send_images_back(feedback.reshape(5, -1), code, dtype(2), shape, window, received)
    parts = winners(pixels, "first") * feedback.transpose(0, 3, 1, 2)
    expected = 2 * (np.abs(gain * h) < 1) * from_windows(layer, "centre", parts, (16, 9, 7))
    assert close(received.reshape(5, 9, 7, 16).transpose(0, 3, 1, 2), expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_dropout_in_the_pooling_keeps_the_units_that_the_mask_keeps(dtype):
    rng, fraction = np.random.default_rng(2), 0.7
    h = numbers(rng, 4, 6, 6, 32, dtype=dtype)
    mask = dropout_mask(5, 9, 1, (4, 32, 3, 3), fraction)
    draws = dropout_draws(5, 9, 1, 0, mask.size).reshape(4, -1)
    pooled, code = np.empty((2, 4, 288), dtype), np.empty((2, 4, 288), np.uint8)
    for k, used in enumerate((draws[:, :0], draws)):
        fast_pool_kernels.pool_images(
            h.reshape(-1), (6, 6, 32, 3, 3), (3, 2, 1, 1), lanes(h.itemsize), True, dtype(1), used,
            round(fraction * 2**16), dtype(2), pooled[k], code[k],
        )  # fmt: skip
    kept = mask.transpose(0, 2, 3, 1).reshape(4, -1)
    assert np.array_equal(pooled[1], np.where(kept, 2 * pooled[0], 0))
    assert np.array_equal(code[1], np.where(kept, code[0], fast_pool_kernels.DROPPED))


@pytest.mark.parametrize(("begin", "end"), [(0, 13), (4, 12), (6, 31), (40, 64)])
def test_any_part_of_the_draws_is_that_part(begin, end):
    assert np.array_equal(dropout_draws(1, 2, 3, begin, end), dropout_draws(1, 2, 3, 0, 64)[begin:end])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("kernel", "channels"), [((5, 5), 3), ((2, 3), 1), ((3, 3), 7)])
@pytest.mark.parametrize("filters", [16, 48])
def test_convolution_of_images_equals_its_plain_form(dtype, kernel, channels, filters):
    rng, layer, (kh, kw) = np.random.default_rng(3), Conv(filters, kernel), kernel
    images = rng.integers(0, 256, (3, channels, 11, 10), dtype=np.uint8)
    W = numbers(rng, filters, channels, kh, kw, dtype=dtype)
    inside = np.ascontiguousarray(W.transpose(2, 3, 1, 0)).reshape(-1)
    row, image, vector = (10 + kw - 1) * channels, (11 + kh - 1) * (10 + kw - 1) * channels, lanes(W.itemsize)
    padded = np.zeros(3 * image + 4 * vector, dtype)
    whole = padded[: 3 * image].reshape(3, 11 + kh - 1, -1, channels)
    fast_conv_kernels.pad(images, (kh - 1) // 2, (kw - 1) // 2, np.arange(256, dtype=dtype) / dtype(255), whole)
    h = np.zeros(3 * 110 * filters, dtype)
    fast_conv_kernels.convolve_images(
        padded, image, row, channels, kernel, inside, dtype(0), 0, 3, (11, 10, filters), vector, h
    )
    expected = input_of_units(layer, W.astype(float), images / 255)
    assert close(h.reshape(3, 11, 10, filters).transpose(0, 3, 1, 2), expected)

    # The increment from the winners of a pooling, against that from the feedback to all pixels.
    shape, window = (11, 10, filters, 6, 5), (3, 2, 1, 1)
    pooled, code = np.empty((3, 30 * filters), dtype), np.empty((3, 30 * filters), np.uint8)
    none = np.empty((3, 0), np.uint16)
    fast_pool_kernels.pool_images(h, shape, window, vector, True, dtype(1), none, 0, dtype(1), pooled, code)
    feedback, received = numbers(rng, 3, 30 * filters, dtype=dtype), np.empty((3, 110 * filters), dtype)
    fast_pool_kernels.send_images_back(feedback, code, dtype(3), shape, window, received)
    run = kw * channels
    sums = np.zeros((filters, kh, -(-run // vector) * vector), dtype)
    for begin, end in ((0, 2), (2, 3)):
        fast_conv_kernels.hebbian_of_winners(
            padded, image, row, channels, kh, (6, 5, filters), code.reshape(-1), feedback.reshape(-1), dtype(3),
            *window, begin, end, vector, sums,
        )  # fmt: skip
    delta = received.reshape(3, 11, 10, filters).transpose(0, 3, 1, 2)
    found = sums[:, :, :run].reshape(filters, kh, kw, channels).transpose(0, 3, 1, 2)
    assert close(found, hebbian(layer, delta.astype(float), images / 255))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("kernel", "channels", "filters", "images"),
    [((5, 5), 3, 32, 13), ((2, 3), 7, 16, 3), ((1, 1), 1, 48, 530), ((3, 5), 48, 80, 9), ((9, 7), 16, 16, 4)],
)
def test_locally_connected_units_equal_their_plain_form(dtype, kernel, channels, filters, images):
    rng, layer, (kh, kw) = np.random.default_rng(4), Local(filters, kernel), kernel
    x, delta = numbers(rng, images, channels, 5, 6, dtype=dtype), numbers(rng, images, filters, 5, 6, dtype=dtype)
    W = numbers(rng, filters, 5, 6, channels, kh, kw, dtype=dtype)
    vector, size, maps = lanes(W.itemsize), (kh, kw, filters), (5, 6, channels)

    def flat(values):
        return np.ascontiguousarray(values.transpose(0, 2, 3, 1)).reshape(-1)

    def inside(weights):
        turned = weights.transpose(1, 2, 4, 5, 3, 0).reshape(30, -1, filters)
        groups = range(0, filters, fast_local_kernels.GROUP)
        return np.hstack([turned[:, :, f : f + fast_local_kernels.GROUP].reshape(30, -1) for f in groups]).reshape(-1)

    h = np.empty(images * 30 * filters, dtype)
    for begin, end in ((0, 2), (2, 5)):
        fast_local_kernels.forward(flat(x), maps, images, inside(W), size, dtype(0), begin, end, vector, h)
    found = h.reshape(images, 5, 6, filters).transpose(0, 3, 1, 2)
    assert close(found, input_of_units(layer, W.astype(float), x.astype(float)))

    received = np.zeros((images, 30 * channels + vector), dtype)
    for begin, end in ((0, images // 2), (images // 2, images)):
        fast_local_kernels.feedback(flat(delta), inside(W), maps, size, begin, end, vector, received.reshape(-1))
    assert not received[:, 30 * channels :].any()
    expected = feedback_to_source(layer, W.astype(float), delta.astype(float), (channels, 5, 6))
    assert close(received[:, : 30 * channels].reshape(images, 5, 6, channels).transpose(0, 3, 1, 2), expected)

    mask_W, mask_R = ((rng.random(W.shape) < 0.5).astype(np.uint8) for _ in range(2))
    changed, none = [np.zeros(W.size, dtype) for _ in range(3)], np.empty(0, np.uint8)
    room = np.empty(fast_local_kernels.room_for(images, filters, 6), dtype)
    common = flat(x), maps, images, flat(delta), dtype(0.5), size
    for begin, end in ((0, 2), (2, 5)):
        fast_local_kernels.hebbian(
            *common, begin, end, vector, room, changed[0], inside(mask_W), changed[1], inside(mask_R), True
        )
    fast_local_kernels.hebbian(*common, 0, 5, vector, room, changed[2], none, changed[2], none, False)
    products = 0.5 * hebbian(layer, delta.astype(float), x.astype(float))
    for found, mask in zip(changed, (mask_W, mask_R, np.ones_like(mask_W)), strict=True):
        assert close(found, inside(mask * products))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("kernel", "channels", "filters", "size", "stride"),
    [((5, 5), 3, 32, 3, 2), ((2, 3), 7, 48, 4, 3), ((3, 3), 64, 64, 2, 2)],
)
def test_increments_of_untied_winners_equal_those_of_all_units(dtype, kernel, channels, filters, size, stride):
    rng, (kh, kw), images = np.random.default_rng(6), kernel, 5
    height, width, before = 9, 8, (size - 1) // 2
    rows, columns = -(-height // stride), -(-width // stride)
    h, x = (numbers(rng, images, height, width, n, dtype=dtype) for n in (filters, channels))
    shape, window, vector = (height, width, filters, rows, columns), (size, stride, before, before), lanes(h.itemsize)
    pooled, code = (
        np.empty((images, rows * columns * filters), dtype),
        np.empty((images, rows * columns * filters), np.uint8),
    )
    none = np.empty((images, 0), np.uint16)
    fast_pool_kernels.pool_images(h.reshape(-1), shape, window, vector, True, dtype(1), none, 0, dtype(1), pooled, code)
    feedback, received = numbers(rng, *pooled.shape, dtype=dtype), np.empty((images, h[0].size), dtype)
    fast_pool_kernels.send_images_back(feedback, code, dtype(3), shape, window, received)

    maps = height, width, channels
    weights = height * width * kh * kw * channels * filters
    masks = [(rng.random(weights) < 0.5).astype(np.uint8), np.empty(0, np.uint8)]
    found, expected = (([np.zeros(weights, dtype) for _ in range(2)]) for _ in range(2))
    for begin, end in ((0, 4), (4, height)):
        fast_winner_kernels.hebbian_of_winners(
            x.reshape(-1), maps, images, code.reshape(-1), feedback.reshape(-1), dtype(3), window, (rows, columns),
            dtype(0.5), (kh, kw, filters), begin, end, vector, found[0], masks[0], found[1], masks[1], True,
        )  # fmt: skip
    room = np.empty(fast_local_kernels.room_for(images, filters, width), dtype)
    fast_local_kernels.hebbian(
        x.reshape(-1), maps, images, received.reshape(-1), dtype(0.5), (kh, kw, filters), 0, height, vector, room,
        expected[0], masks[0], expected[1], masks[1], True,
    )  # fmt: skip
    assert all(close(a, b) for a, b in zip(found, expected, strict=True))
    assert np.abs(expected[1]).max() > 1


@pytest.mark.parametrize("size", [1, 15, 4097])
@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_arrays_begin_with_a_line_of_the_cache(size, dtype):
    array = aligned(size, dtype)
    assert array.shape == (size,) and array.dtype == dtype
    assert array.ctypes.data % 64 == 0
