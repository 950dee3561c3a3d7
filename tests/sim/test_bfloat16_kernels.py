"""Compiled products of bfloat16 against the same numbers in float64; with and without the processor's own products."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from sim.fast import bfloat16_kernels as kernels
from sim.fast import full_kernels
from sim.fast.pool_kernels import DROPPED
from sim.fast.rounded import LEVELS
from sim.fast.simd_bfloat16 import BLOCK, STORED
from validation.tolerances import TOLERANCES


def rounded(x):
    """The bfloat16 nearest to each number, by torch, as uint16 and as float64."""
    found = torch.from_numpy(np.asarray(x, np.float32)).to(torch.bfloat16)
    return found.view(torch.uint16).numpy(), found.double().numpy()


def stored(rows):
    """Rows as `narrow_blocks` stores them."""
    flat = np.ascontiguousarray(rows, np.float32).reshape(-1)
    found = np.empty(flat.shape, np.uint16)
    kernels.narrow_blocks(flat, found)
    return found


def close(found, expected):
    # The factors are the same numbers: what is left is the rounding of float32 sums.
    assert np.abs(found - expected).max() <= TOLERANCES["float32"].relative * np.abs(expected).max()


def test_numbers_are_rounded_as_torch_rounds_them():
    rng = np.random.default_rng(0)
    ties = 1 + np.arange(16) * 2.0**-8  # each second one is half-way between two
    x = np.concatenate([rng.standard_normal(64) * 10.0 ** rng.integers(-20, 20, 64), ties, -ties]).astype(np.float32)
    x[:4] = 0.0, -0.0, np.inf, -np.inf
    found = np.empty(x.shape, np.uint16)
    kernels.narrow(x, found)
    assert np.array_equal(found, rounded(x)[0])
    assert np.array_equal(stored(x), rounded(x.reshape(-1, BLOCK)[:, STORED].reshape(-1))[0])
    wide = np.empty_like(x)
    kernels.widen(found, wide)
    assert np.array_equal(wide, rounded(x)[1])
    kernels.narrow(np.full(16, np.nan, np.float32), found)
    kernels.widen(found, wide)
    assert np.isnan(wide[:16]).all()


def test_pixels_are_rounded_as_they_are_for_the_plain_form():
    assert torch.equal(torch.from_numpy(LEVELS).view(torch.bfloat16), torch.arange(256).to(torch.bfloat16) / 255)


@pytest.mark.parametrize("width", [32, 320, 544])
def test_full_layers_by_lists_equal_the_products_of_all_units(width):
    rng, images, units = np.random.default_rng(0), 7, 592
    code = np.where(rng.random((images, units)) < 0.3, 7, DROPPED).astype(np.uint8)
    code[0], code[1, 1:], code[1, 0] = DROPPED, DROPPED, 7  # none, and one without a partner
    x16, x = rounded(np.where(code == 7, rng.standard_normal((images, units)), 0))
    (W, R), delta = (
        rounded(rng.standard_normal((2, units, width)))[1],
        rounded(rng.standard_normal((images, width)))[1],
    )
    index, value = np.zeros(images * units, np.uint32), np.zeros(images * units, np.uint16)
    counts = np.zeros(images, np.int64)
    full_kernels.list_kept(code.reshape(-1), 0, images, units, x16.reshape(-1), units, index, value, counts)

    h = np.zeros(images * width, np.float32)
    full_kernels.input_of_units(index, value, units, counts, units, stored(W), width, h)
    close(h.reshape(images, width), x @ W)

    received = np.zeros(images * units, np.float32)
    full_kernels.feedback_to_source(index, units, counts, stored(delta), units, stored(R), width, received)
    close(received.reshape(images, units)[code == 7], (delta @ R.T)[code == 7])

    changed = np.zeros((2, units * width), np.float32)
    full_kernels.hebbian(
        index, value, units, counts, 0, units, stored(delta), width, np.float32(0.5), changed[0], changed[1], True
    )
    close(changed[0].reshape(units, width), 0.5 * x.T @ delta)
    assert np.array_equal(changed[0], changed[1])


def test_without_the_processors_products_the_results_are_the_same():
    # Numbers are widened there: another order of sums, so the tests above judge it again in a process of their own.
    environment = {**os.environ, "NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "+sse2"}
    if "bfloat16" in os.environ.get("NUMBA_CPU_FEATURES", "") or os.environ.get("NUMBA_CPU_NAME"):
        pytest.skip("this is that process")
    names = "rounded_as_torch or by_lists"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(Path(__file__)), "-k", names]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:]
