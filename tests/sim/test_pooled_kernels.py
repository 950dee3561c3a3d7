"""Convolutions whose units mostly get no feedback: the compiled lists against sums over all units."""

import numpy as np
import pytest

from network.layers import Conv
from network.reference_layers import feedback_to_source, hebbian
from network.spec import NetworkSpec
from sim.event.space import Space, aligned
from sim.fast import pooled_kernels as fast_pooled_kernels
from sim.fast.plan import plan
from sim.fast.pooled import PooledSynapses, share_with_feedback
from sim.fast.simd import lanes
from tests.sim.test_fast_kernels import DTYPES, close, numbers


def channels_last(maps):
    return np.ascontiguousarray(maps.transpose(0, 2, 3, 1)).reshape(-1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("kernel", "channels", "filters", "images"),
    [((3, 3), 16, 32, 7), ((1, 5), 48, 16, 3), ((5, 1), 16, 16, 1), ((3, 3), 128, 48, 2), ((1, 1), 32, 16, 70)],
)
def test_few_units_give_what_all_give(dtype, kernel, channels, filters, images):
    rng, (height, width) = np.random.default_rng(0), (9, 7)
    layer = Conv(filters, kernel)
    R = numbers(rng, filters, channels, *kernel, dtype=dtype)
    x = numbers(rng, images, channels, height, width, dtype=dtype)
    delta = np.where(
        rng.random((images, filters, height, width)) < 0.1, numbers(rng, images, filters, height, width, dtype=dtype), 0
    ).astype(dtype)
    delta[0, :, 4] = 0  # pixels without any
    delta[0, :, 0, 0] = 1  # and one with all
    geometry = (height, width, channels, filters, *kernel)
    vector = lanes(np.dtype(dtype).itemsize)

    received, halfway = aligned(x.size, dtype), images // 2
    for begin, end in ((0, halfway), (halfway, images)):
        fast_pooled_kernels.feedback_of_few(
            channels_last(delta), begin, end, geometry, channels_last(R), vector, received
        )
    exact = feedback_to_source(layer, R.astype(np.float64), delta.astype(np.float64), x.shape[1:])
    assert close(received, channels_last(exact))

    increment = aligned(R.size, dtype)
    for begin in range(0, filters, 16):
        fast_pooled_kernels.hebbian_of_few(
            channels_last(delta), images, begin, begin + 16, geometry, channels_last(x), vector, increment
        )
    exact = hebbian(layer, delta.astype(np.float64), x.astype(np.float64))
    assert close(increment, channels_last(exact))


@pytest.mark.parametrize(
    ("net", "shares"),
    [
        ("Conv 16 3x3; Conv 16 3x3; SUM; Maxpool 3; Output", [1, 1 / 4]),  # conv1 also feeds conv2
        ("Conv 16 3x3; Conv 16 3x3; Conv 16 3x3; SUM; Output", [1, 1, 1]),  # no pooling
        ("Conv 16 3x3; Conv 16 3x3; Maxpool 3/1; Output", [1, 1]),  # every unit can win
        ("Conv 16 3x3; Conv 16 3x3; Maxpool 3; Drop .8; Output", [1, 0.05]),
        ("Conv 16 3x3; Conv 16 3x3; Maxpool 3/1; Drop .8; Output", [1, 0.2]),
        ("Conv 16 3x3; Conv 16 3x3; Maxpool 4/3; Full 8; Drop .8; Output", [1, 1 / 9]),  # its own are not dropped
        ("Conv 16 3x3; Conv 16 2x3; Maxpool 2/2; Output", [1, 1]),  # no middle
        ("Conv 16 3x3; Conv 24 3x3; Maxpool 2/2; Conv 16 3x3; Maxpool 2/2; Output", [1, 1, 1]),  # no multiple of 16
        ("Conv 16 3x3; Local 16 3x3; Maxpool 2/2; Conv 16 3x3; Maxpool 2/2; Output", [1, 1, 1 / 4]),
    ],
)
def test_share_of_units_with_feedback(net, shares):
    spec = NetworkSpec.parse(net, (3, 12, 12), 10)
    found = [share_with_feedback(spec, node) for node in spec.weighted if isinstance(node.layer, Conv)]
    assert found == pytest.approx(shares[: len(found)])


def test_in_deepernet_three_layers_make_lists_and_in_bfloat16_the_one_with_the_fewest():
    spec = NetworkSpec.parse("deepernet", (3, 32, 32), 10)

    def listed(rounded):
        return [s.name for s in plan(spec, Space(keep=True), rounded=rounded) if isinstance(s, PooledSynapses)]

    assert listed(rounded=False) == ["conv5", "conv10", "conv14"]
    assert listed(rounded=True) == ["conv14"]
