"""What the synapses of convolutions see, compiled: patches of maps (N, H, W, C), to be multiplied by a matrix."""

from circuits.compiled import compiled


@compiled
def gather(x, kh, kw, top, left, patches):
    """The kh x kw pixels around every position, zeros outside: patches (N * H * W, kh * kw * C)."""
    height, width, channels = x.shape[1], x.shape[2], x.shape[3]
    row = 0
    for n in range(x.shape[0]):
        for i in range(height):
            for j in range(width):
                to = 0
                for a in range(kh):
                    y = i + a - top
                    for b in range(kw):
                        z = j + b - left
                        if 0 <= y < height and 0 <= z < width:
                            for c in range(channels):
                                patches[row, to + c] = x[n, y, z, c]
                        else:
                            for c in range(channels):
                                patches[row, to + c] = 0.0
                        to += channels
                row += 1


@compiled
def gather_positions(x, begin, kh, kw, top, left, patches):
    """The same by position, those from `begin` on: patches (positions, N, kh * kw * C)."""
    height, width, channels = x.shape[1], x.shape[2], x.shape[3]
    for p in range(patches.shape[0]):
        i, j = (begin + p) // width, (begin + p) % width
        for n in range(x.shape[0]):
            to = 0
            for a in range(kh):
                y = i + a - top
                for b in range(kw):
                    z = j + b - left
                    inside = 0 <= y < height and 0 <= z < width
                    for c in range(channels):
                        patches[p, n, to + c] = x[n, y, z, c] if inside else 0.0
                    to += channels


@compiled
def scatter_positions(patches, begin, kh, kw, top, left, received):
    """What `gather_positions` took from each pixel goes back to it, added up; what the padding would get is lost."""
    height, width, channels = received.shape[1], received.shape[2], received.shape[3]
    for p in range(patches.shape[0]):
        i, j = (begin + p) // width, (begin + p) % width
        for n in range(received.shape[0]):
            to = 0
            for a in range(kh):
                y = i + a - top
                for b in range(kw):
                    z = j + b - left
                    if 0 <= y < height and 0 <= z < width:
                        for c in range(channels):
                            received[n, y, z, c] += patches[p, n, to + c]
                    to += channels
