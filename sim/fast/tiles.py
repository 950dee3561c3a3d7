"""Tiles of any height up to 8 and one or two vectors: `sim.fast.simd` needs literal numbers."""

from circuits.compiled import compiled
from sim.fast.simd import add_tile, tile
from sim.fast.simd_local import update_tile


@compiled
def height(left):
    """How many of the rows that are left the next tile takes."""
    if left >= 8:
        return 8
    return 4 if left >= 4 else (2 if left >= 2 else 1)


@compiled
def put(rows, two, a, a0, a_row, k1, a_k1, k2, a_k2, b, b0, b_k, c, c0, c_row):
    """`tile` of so many rows, as `height` says, and of one vector or `two`."""
    if rows == 8:
        if two:
            tile(8, 2, a, a0, a_row, k1, a_k1, k2, a_k2, b, b0, b_k, c, c0, c_row)
        else:
            tile(8, 1, a, a0, a_row, k1, a_k1, k2, a_k2, b, b0, b_k, c, c0, c_row)
    elif rows == 4:
        if two:
            tile(4, 2, a, a0, a_row, k1, a_k1, k2, a_k2, b, b0, b_k, c, c0, c_row)
        else:
            tile(4, 1, a, a0, a_row, k1, a_k1, k2, a_k2, b, b0, b_k, c, c0, c_row)
    elif rows == 2:
        if two:
            tile(2, 2, a, a0, a_row, k1, a_k1, k2, a_k2, b, b0, b_k, c, c0, c_row)
        else:
            tile(2, 1, a, a0, a_row, k1, a_k1, k2, a_k2, b, b0, b_k, c, c0, c_row)
    elif two:
        tile(1, 2, a, a0, a_row, k1, a_k1, k2, a_k2, b, b0, b_k, c, c0, c_row)
    else:
        tile(1, 1, a, a0, a_row, k1, a_k1, k2, a_k2, b, b0, b_k, c, c0, c_row)


@compiled
def add(rows, two, a, a0, a_row, k1, a_k1, k2, a_k2, b, b0, b_k, c, c0, c_row):
    """`add_tile` of so many rows, as `height` says, and of one vector or `two`."""
    if rows == 8:
        if two:
            add_tile(8, 2, a, a0, a_row, k1, a_k1, k2, a_k2, b, b0, b_k, c, c0, c_row)
        else:
            add_tile(8, 1, a, a0, a_row, k1, a_k1, k2, a_k2, b, b0, b_k, c, c0, c_row)
    elif rows == 4:
        if two:
            add_tile(4, 2, a, a0, a_row, k1, a_k1, k2, a_k2, b, b0, b_k, c, c0, c_row)
        else:
            add_tile(4, 1, a, a0, a_row, k1, a_k1, k2, a_k2, b, b0, b_k, c, c0, c_row)
    elif rows == 2:
        if two:
            add_tile(2, 2, a, a0, a_row, k1, a_k1, k2, a_k2, b, b0, b_k, c, c0, c_row)
        else:
            add_tile(2, 1, a, a0, a_row, k1, a_k1, k2, a_k2, b, b0, b_k, c, c0, c_row)
    elif two:
        add_tile(1, 2, a, a0, a_row, k1, a_k1, k2, a_k2, b, b0, b_k, c, c0, c_row)
    else:
        add_tile(1, 1, a, a0, a_row, k1, a_k1, k2, a_k2, b, b0, b_k, c, c0, c_row)


@compiled
def change(rows, two, a, a0, a_row, k1, a_k1, k2, a_k2, b, b0, b_k, scale, c, d, c0, c_row, both):
    """`update_tile` of so many rows, as `height` says, and of one vector or `two`."""
    if rows == 8:
        if two:
            update_tile(8, 2, a, a0, a_row, k1, a_k1, k2, a_k2, b, b0, b_k, scale, c, d, c0, c_row, both)
        else:
            update_tile(8, 1, a, a0, a_row, k1, a_k1, k2, a_k2, b, b0, b_k, scale, c, d, c0, c_row, both)
    elif rows == 4:
        if two:
            update_tile(4, 2, a, a0, a_row, k1, a_k1, k2, a_k2, b, b0, b_k, scale, c, d, c0, c_row, both)
        else:
            update_tile(4, 1, a, a0, a_row, k1, a_k1, k2, a_k2, b, b0, b_k, scale, c, d, c0, c_row, both)
    elif rows == 2:
        if two:
            update_tile(2, 2, a, a0, a_row, k1, a_k1, k2, a_k2, b, b0, b_k, scale, c, d, c0, c_row, both)
        else:
            update_tile(2, 1, a, a0, a_row, k1, a_k1, k2, a_k2, b, b0, b_k, scale, c, d, c0, c_row, both)
    elif two:
        update_tile(1, 2, a, a0, a_row, k1, a_k1, k2, a_k2, b, b0, b_k, scale, c, d, c0, c_row, both)
    else:
        update_tile(1, 1, a, a0, a_row, k1, a_k1, k2, a_k2, b, b0, b_k, scale, c, d, c0, c_row, both)
