"""Pooling units of the event engine, compiled: maps are (N, H, W, C), windows begin `top` and `left` before theirs."""

from circuits.compiled import compiled

NOWHERE = -1  # the winner lies in the padding, which takes no feedback


@compiled
def max_pool(x, size, stride, top, left, pooled, winner):
    """The first largest of every window, zeros of the padding included, and which pixel of the map that is."""
    height, width, channels = x.shape[1], x.shape[2], x.shape[3]
    for n in range(pooled.shape[0]):
        for i in range(pooled.shape[1]):
            for j in range(pooled.shape[2]):
                for a in range(size):
                    for b in range(size):
                        row, column = i * stride + a - top, j * stride + b - left
                        inside = 0 <= row < height and 0 <= column < width
                        pixel = row * width + column if inside else NOWHERE
                        if a == 0 and b == 0:
                            for c in range(channels):
                                pooled[n, i, j, c] = x[n, row, column, c] if inside else 0.0
                                winner[n, i, j, c] = pixel
                        elif inside:
                            for c in range(channels):
                                value = x[n, row, column, c]
                                larger = value > pooled[n, i, j, c]
                                pooled[n, i, j, c] = value if larger else pooled[n, i, j, c]
                                winner[n, i, j, c] = pixel if larger else winner[n, i, j, c]
                        else:
                            for c in range(channels):
                                larger = pooled[n, i, j, c] < 0.0
                                pooled[n, i, j, c] = 0.0 if larger else pooled[n, i, j, c]
                                winner[n, i, j, c] = NOWHERE if larger else winner[n, i, j, c]


@compiled
def feedback_to_winner(feedback, winner, received):
    """Feedback of every window, (N, H', W', C), to the pixel that won; `received` (N, H * W, C) is written."""
    received[:] = 0.0
    for n in range(feedback.shape[0]):
        for i in range(feedback.shape[1]):
            for j in range(feedback.shape[2]):
                for c in range(feedback.shape[3]):
                    pixel = winner[n, i, j, c]
                    if pixel != NOWHERE:
                        received[n, pixel, c] += feedback[n, i, j, c]


@compiled
def feedback_to_all_winners(feedback, x, pooled, size, stride, top, left, received):
    """As `feedback_to_winner`, to every pixel that ties with the winner."""
    height, width = x.shape[1], x.shape[2]
    received[:] = 0.0
    for n in range(feedback.shape[0]):
        for i in range(feedback.shape[1]):
            for j in range(feedback.shape[2]):
                for a in range(size):
                    for b in range(size):
                        row, column = i * stride + a - top, j * stride + b - left
                        if 0 <= row < height and 0 <= column < width:
                            for c in range(feedback.shape[3]):
                                if x[n, row, column, c] == pooled[n, i, j, c]:
                                    received[n, row, column, c] += feedback[n, i, j, c]


@compiled
def average_pool(x, size, stride, top, left, pooled):
    """The sum over every window divided by K^2."""
    pooled[:] = 0.0
    for n in range(pooled.shape[0]):
        for i in range(pooled.shape[1]):
            for j in range(pooled.shape[2]):
                for a in range(size):
                    for b in range(size):
                        row, column = i * stride + a - top, j * stride + b - left
                        if 0 <= row < x.shape[1] and 0 <= column < x.shape[2]:
                            for c in range(x.shape[3]):
                                pooled[n, i, j, c] += x[n, row, column, c]
                for c in range(x.shape[3]):
                    pooled[n, i, j, c] /= size * size


@compiled
def feedback_of_average(feedback, size, stride, top, left, received):
    """Feedback shared evenly among the K^2 pixels of every window; `received` (N, H, W, C) is written."""
    received[:] = 0.0
    for n in range(feedback.shape[0]):
        for i in range(feedback.shape[1]):
            for j in range(feedback.shape[2]):
                for a in range(size):
                    for b in range(size):
                        row, column = i * stride + a - top, j * stride + b - left
                        if 0 <= row < received.shape[1] and 0 <= column < received.shape[2]:
                            for c in range(feedback.shape[3]):
                                received[n, row, column, c] += feedback[n, i, j, c] / (size * size)
