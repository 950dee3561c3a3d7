"""Kernels in Triton for what lies between the products of large matrices, where time is that of reading and writing.

Maps are (N, H, W, C) in memory; what is pooled is given by its strides. A unit's code is the place of the winner in its
window, counted by row, or `SHUT`, where no feedback passes: the winner is saturated or lies in the padding, or the unit
was dropped. Every sum is made by one program in one order: the same input gives the same bits. Sizes are part of what
is compiled, so that no index needs a division; an index has 31 bits, which `sim.gpu.fused` sees to.
"""

# Triton is not installed everywhere, and its own annotations are not those of what a kernel takes.
# pyright: reportMissingImports=false, reportGeneralTypeIssues=false, reportCallIssue=false, reportArgumentType=false

import triton
import triton.language as tl

SHUT = 255
_SHUT = tl.constexpr(SHUT)


@triton.jit
def _times(a_high, a_low, b_high, b_low):
    """Of numbers of 128 bits, modulo 2^128."""
    return tl.umulhi(a_low, b_low) + a_high * b_low + a_low * b_high, a_low * b_low


@triton.jit
def _jump(high, low, inc_high, inc_low, table, count, k, exists):
    """A state as many steps later as entry k of the table says, see `sim.gpu.masks`."""
    a_high = tl.load(table + k, exists, 0).to(tl.uint64, bitcast=True)
    a_low = tl.load(table + count + k, exists, 0).to(tl.uint64, bitcast=True)
    b_high = tl.load(table + 2 * count + k, exists, 0).to(tl.uint64, bitcast=True)
    b_low = tl.load(table + 3 * count + k, exists, 0).to(tl.uint64, bitcast=True)
    moved_high, moved_low = _times(a_high, a_low, high, low)
    added_high, added_low = _times(b_high, b_low, inc_high, inc_low)
    total = moved_low + added_low
    return moved_high + added_high + (total < moved_low).to(tl.uint64), total


@triton.jit
def draw(begin, within, blocks, kept, units, threshold, block_count, BLOCK: tl.constexpr):
    """Which units are kept, four to each word: `sim.gpu.masks.Masks.draw`. One program makes BLOCK words."""
    block, word = tl.program_id(0), tl.arange(0, BLOCK)
    high = tl.load(begin).to(tl.uint64, bitcast=True)
    low = tl.load(begin + 1).to(tl.uint64, bitcast=True)
    inc_high = tl.load(begin + 2).to(tl.uint64, bitcast=True)
    inc_low = tl.load(begin + 3).to(tl.uint64, bitcast=True)
    high, low = _jump(high, low, inc_high, inc_low, blocks, block_count, block, block < block_count)
    high, low = _jump(high, low, inc_high, inc_low, within, BLOCK, word, word < BLOCK)
    mixed, turn = high ^ low, high >> 58
    words = (mixed >> turn) | (mixed << ((64 - turn) & 63))
    first = (block * BLOCK + word) * 4
    for k in tl.static_range(4):
        draws = ((words >> (16 * k)) & 0xFFFF).to(tl.int32)
        tl.store(kept + first + k, draws >= threshold, first + k < units)


@triton.jit
def pool(
    h, kept, pooled, code, units, gain, scale,
    height: tl.constexpr, width: tl.constexpr, rows: tl.constexpr, columns: tl.constexpr, channels: tl.constexpr,
    sn: tl.constexpr, sc: tl.constexpr, sh: tl.constexpr, sw: tl.constexpr,
    SIZE: tl.constexpr, STRIDE: tl.constexpr, TOP: tl.constexpr, LEFT: tl.constexpr,
    SATURATES: tl.constexpr, DROPS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """From the input of units to what the next layer reads: the maximum of each window, zeros around the map included;
    clip(gain h, -1, 1) of it, which is the maximum of those since clip is monotone; and dropout.

    `kept` is (N, C, H', W'); `pooled` has the strides sn, sc, sh, sw; `code` is as `pooled`, of one byte.
    """
    unit = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    there = unit < units
    c, column = unit % channels, unit // channels % columns
    row, n = unit // (channels * columns) % rows, unit // (channels * columns * rows)
    best = tl.zeros((BLOCK,), tl.float32)
    winner = tl.full((BLOCK,), _SHUT, tl.int32)
    for tap in tl.static_range(SIZE * SIZE):
        y, x = row * STRIDE + tap // SIZE - TOP, column * STRIDE + tap % SIZE - LEFT
        inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
        place = ((n * height + y) * width + x) * channels + c
        value = tl.load(h + place, there & inside, 0).to(tl.float32)
        wins = (value > best) if tap else (value == value)  # what is first in the window wins a tie
        best = tl.where(wins, value, best)
        winner = tl.where(wins, tl.where(inside, tap, _SHUT), winner)
        best = tl.where(value != value, value, best)  # what is not a number stays so
    if SATURATES:
        best = gain * best
        winner = tl.where((best > -1) & (best < 1), winner, _SHUT)
        best = tl.where(best > 1, 1.0, tl.where(best < -1, -1.0, best))
    if DROPS:
        keeps = tl.load(kept + ((n * channels + c) * rows + row) * columns + column, there, 0) != 0
        best = tl.where(keeps, best * scale, 0.0)
        winner = tl.where(keeps, winner, _SHUT)
    to = n * sn + c * sc + row * sh + column * sw
    tl.store(pooled + to, best, there)
    tl.store(code + to, winner.to(tl.uint8), there)


@triton.jit
def _received(
    feedback, code, n, y, x, c, there,
    rows: tl.constexpr, columns: tl.constexpr,
    sn: tl.constexpr, sc: tl.constexpr, sh: tl.constexpr, sw: tl.constexpr,
    SIZE: tl.constexpr, STRIDE: tl.constexpr, TOP: tl.constexpr, LEFT: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """What pixels receive: the feedback of all windows that they won. Their indices have shapes that fit BLOCK."""
    total = tl.zeros(BLOCK, tl.float32)
    for tap in tl.static_range(SIZE * SIZE):
        down, right = y + TOP - tap // SIZE, x + LEFT - tap % SIZE
        row, column = down // STRIDE, right // STRIDE
        read = there & (down >= 0) & (right >= 0) & (row < rows) & (column < columns)
        read = read & (row * STRIDE == down) & (column * STRIDE == right)
        place = n * sn + c * sc + row * sh + column * sw
        won = tl.load(code + place, read, _SHUT).to(tl.int32) == tap
        total += tl.load(feedback + place, read & won, 0).to(tl.float32)
    return total


@triton.jit
def send_back(
    feedback, code, received, pixels, scale,
    height: tl.constexpr, width: tl.constexpr, rows: tl.constexpr, columns: tl.constexpr, channels: tl.constexpr,
    sn: tl.constexpr, sc: tl.constexpr, sh: tl.constexpr, sw: tl.constexpr,
    SIZE: tl.constexpr, STRIDE: tl.constexpr, TOP: tl.constexpr, LEFT: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """The way back of `pool`: what every pixel below receives, `scale` times; zero where it won no window."""
    pixel = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    there = pixel < pixels
    c, x = pixel % channels, pixel // channels % width
    y, n = pixel // (channels * width) % height, pixel // (channels * width * height)
    total = _received(
        feedback, code, n, y, x, c, there, rows, columns, sn, sc, sh, sw, SIZE, STRIDE, TOP, LEFT, (BLOCK,)
    )
    tl.store(received + pixel, scale * total, there)


@triton.jit
def increment_of_winners(
    images, feedback, code, sums,
    height: tl.constexpr, width: tl.constexpr, rows: tl.constexpr, columns: tl.constexpr, filters: tl.constexpr,
    taps: tl.constexpr, in_: tl.constexpr, ih: tl.constexpr, iw: tl.constexpr,
    sn: tl.constexpr, sc: tl.constexpr, sh: tl.constexpr, sw: tl.constexpr,
    KH: tl.constexpr, KW: tl.constexpr, UP: tl.constexpr, ASIDE: tl.constexpr,
    SIZE: tl.constexpr, STRIDE: tl.constexpr, TOP: tl.constexpr, LEFT: tl.constexpr,
    FILTERS: tl.constexpr, TAPS: tl.constexpr, PIXELS: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Hebbian products of a convolution below a pooling, of one image: sums (N, filters, in * KH * KW).

    delta is never written to memory: it is made from the feedback and the codes, some pixels at a time, and multiplied
    with what the filters saw there. `images` has the strides in_, ih, iw for n, rows and columns, channels together.
    """
    n = tl.program_id(0)
    c, tap = tl.arange(0, FILTERS), tl.arange(0, TAPS)
    channel, a, b = tap // (KH * KW), tap // KW % KH, tap % KW
    total = tl.zeros((FILTERS, TAPS), tl.float32)
    for first in range(0, height * width, PIXELS):
        pixel = first + tl.arange(0, PIXELS)
        y, x, exists = pixel // width, pixel % width, pixel < height * width
        delta = _received(
            feedback, code, n, y[None, :], x[None, :], c[:, None], exists[None, :] & (c < filters)[:, None],
            rows, columns, sn, sc, sh, sw, SIZE, STRIDE, TOP, LEFT, (FILTERS, PIXELS),
        )  # fmt: skip
        from_y, from_x = y[:, None] + a[None, :] - UP, x[:, None] + b[None, :] - ASIDE
        inside = (from_y >= 0) & (from_y < height) & (from_x >= 0) & (from_x < width)
        inside = inside & exists[:, None] & (tap < taps)[None, :]
        seen = tl.load(images + n * in_ + from_y * ih + from_x * iw + channel[None, :], inside, 0).to(tl.float32)
        total = tl.dot(delta, seen, total, input_precision=PRECISION)
    to = (n * filters + c[:, None]) * taps + tap[None, :]
    tl.store(sums + to, total, (c < filters)[:, None] & (tap < taps)[None, :])


@triton.jit
def grow(
    W, R, products, mask_W, mask_R, count, eta_W, eta_R,
    HAS_R: tl.constexpr, MASKED_W: tl.constexpr, MASKED_R: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Add the same Hebbian products to W and to R, times eta, where a connection exists; in one pass over memory."""
    k = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    there = k < count
    product = tl.load(products + k, there, 0).to(tl.float32)
    change = eta_W * product
    if MASKED_W:
        change = change * tl.load(mask_W + k, there, 0)
    tl.store(W + k, tl.load(W + k, there, 0) + change, there)
    if HAS_R:
        change = eta_R * product
        if MASKED_R:
            change = change * tl.load(mask_R + k, there, 0)
        tl.store(R + k, tl.load(R + k, there, 0) + change, there)
