"""The reference against the paper's equations, worked by hand or by loops written for the purpose."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from network.layers import Avgpool, Conv, Full, Local, Maxpool
from network.reference import output_error, present
from network.reference_layers import (
    feedback_to_source,
    from_windows,
    hebbian,
    input_of_units,
    saturate,
    windows,
    winners,
)
from network.rules import make_rule
from network.spec import NetworkSpec
from network.weights import Weights
from validation.tolerances import TOLERANCES

EXACT = TOLERANCES["float64"].relative


def test_a_network_small_enough_for_paper_and_pencil():
    # Two inputs, two hidden units, two classes. h1 = (0.5, 2): the second unit saturates.
    spec = NetworkSpec.parse("Full 2; Output", (2, 1, 1), 2)
    W1, W2 = np.array([[1.0, -1.0], [2.0, 2.0]]), np.array([[1.0, 1.0], [-2.0, 0.5]])
    R2 = np.array([[3.0, 7.0], [-1.0, 5.0]])
    weights = Weights({1: W1, 2: W2}, {1: W1 * 0, 2: R2})
    image, label = np.array([[0.75, 0.25]]).reshape(1, 2, 1, 1), np.array([0])
    trace = present(spec, weights, image, label, make_rule("urfb"), eta=0.1, mu=0.5)
    assert trace.h[1] == pytest.approx(np.array([[0.5, 2.0]]))
    assert trace.x[1] == pytest.approx(np.array([[0.5, 1.0]]))
    assert trace.h[2] == pytest.approx(np.array([[1.5, -0.5]]))
    # Class 0 is beyond its margin of 1, so silent; class 1 is above -1, so -mu.
    assert trace.delta[2] == pytest.approx(np.array([[0.0, -0.5]]))
    # R' delta = (-1, 5) * -0.5, and the saturated unit is shut off.
    assert trace.delta[1] == pytest.approx(np.array([[0.5, 0.0]]))
    assert trace.dW[2] == pytest.approx(0.1 * np.array([[0, 0], [-0.25, -0.5]]))
    assert trace.dW[1] == pytest.approx(0.1 * np.array([[0.375, 0.125], [0, 0]]))
    assert np.array_equal(trace.dR[2], trace.dW[2])
    # after_update: delta passes R + dR. R's column to unit 0 becomes (3, -1.025), so delta = -0.5 * -1.025.
    after = present(spec, weights, image, label, make_rule("urfb"), eta=0.1, mu=0.5, order="after_update")
    assert after.delta[1] == pytest.approx(np.array([[0.5125, 0.0]]))
    # FRFB changes no R, so both orders are one.
    fixed = present(spec, weights, image, label, make_rule("frfb"), eta=0.1, mu=0.5, order="after_update")
    assert not fixed.dR[2].any()
    assert np.array_equal(fixed.delta[1], trace.delta[1])


def test_output_error_of_equation_6_at_the_margins():
    outputs = np.array([[1.0, -1.0, np.nextafter(-1, -2), 0.3], [np.nextafter(1, 2), 5.0, -5.0, -1.0]])
    labels = np.array([0, 0])
    paper = output_error(outputs, labels, "hinge", 0.25, strict_margin=False)
    assert paper.tolist() == [[1, -0.25, 0, -0.25], [0, -0.25, 0, -0.25]]
    strict = output_error(outputs, labels, "hinge", 0.25, strict_margin=True)
    assert strict.tolist() == [[0, 0, 0, -0.25], [0, -0.25, 0, 0]]


def test_softmax_error_sums_to_nothing_and_does_not_overflow():
    outputs = np.array([[1e4, 0.0, -1e4], [1.0, 2.0, 3.0]])
    error = output_error(outputs, np.array([0, 2]), "softmax", 1.0, False)
    assert np.isfinite(error).all()
    assert error.sum(axis=1) == pytest.approx([0, 0])
    assert error[1, 2] == pytest.approx(1 - np.exp(3) / (np.exp(1) + np.exp(2) + np.exp(3)))


@pytest.mark.parametrize("gain", [1.0, 0.5, 2.0])
def test_a_unit_exactly_at_saturation_is_shut_off(gain):
    # Equation (3): |g h| >= 1, or |x| = 1. Just below, the feedback passes, times g.
    spec = NetworkSpec.parse("Full 3; Output", (1, 1, 1), 2, gain=gain)
    edge = 1 / gain
    W = {1: np.array([[edge], [-edge], [np.nextafter(edge, 0)]]), 2: np.zeros((2, 3))}
    trace = present(
        spec, Weights(W, {2: np.ones((2, 3))}), np.ones((1, 1, 1, 1)), np.array([0]), make_rule("urfb"), eta=1.0, mu=0.5
    )
    assert trace.delta[1].tolist() == [[0.0, 0.0, gain * 0.5]]


def test_a_rectified_unit_passes_feedback_only_where_it_has_input():
    spec = NetworkSpec.parse("Full 4 ReLU; Output", (1, 1, 1), 2, gain=0.5)
    W = {1: np.array([[3.0], [0.0], [-2.0], [1e-9]]), 2: np.zeros((2, 4))}
    weights = Weights(W, {2: np.array([[1.0, 2.0, 3.0, 4.0], [0.0, 0.0, 0.0, 0.0]])})
    trace = present(spec, weights, np.ones((1, 1, 1, 1)), np.array([0]), make_rule("urfb"), eta=1.0, mu=0.5)
    assert trace.x[1].tolist() == [[1.5, 0.0, 0.0, 0.5e-9]]
    assert trace.delta[1].tolist() == [[0.5 * 1, 0.0, 0.0, 0.5 * 4]]


def naive_convolution(layer, W, x, padding):
    """Loops over everything, with the index of every synapse written out."""
    n, _, height, width = x.shape
    kh, kw = layer.kernel
    if padding == "same":
        up, left, rows, columns = (kh - 1) // 2, (kw - 1) // 2, -(-height // layer.stride), -(-width // layer.stride)
    else:
        up, left, rows, columns = 0, 0, (height - kh) // layer.stride + 1, (width - kw) // layer.stride + 1
    h, synapses = np.zeros((n, layer.filters, rows, columns)), 0
    for o in range(layer.filters):
        for i in range(rows):
            for j in range(columns):
                weight = W[o, i, j] if isinstance(layer, Local) else W[o]
                for a in range(kh):
                    for b in range(kw):
                        row, column = i * layer.stride + a - up, j * layer.stride + b - left
                        if 0 <= row < height and 0 <= column < width:
                            h[:, o, i, j] += x[:, :, row, column] @ weight[:, a, b]
                            synapses += x.shape[1]
    return h, synapses


kinds = st.sampled_from([Conv, Local])
sides = st.integers(1, 5)
strides = st.integers(1, 3)
paddings = st.sampled_from(["same", "valid"])


@given(kinds, st.integers(1, 3), sides, sides, sides, sides, strides, paddings, st.integers(0, 99))
def test_convolution_is_what_the_synapses_say(kind, filters, kh, kw, height, width, stride, padding, seed):
    if padding == "valid":
        height, width = height + kh - 1, width + kw - 1
    rng = np.random.default_rng(seed)
    layer = kind(filters, (kh, kw), stride=stride, padding=padding)
    source = (2, height, width)
    x = rng.standard_normal((2, *source))
    W = rng.standard_normal(layer.weight_shape(source, layer.shape(source)))
    naive, synapses = naive_convolution(layer, W, x, padding)
    assert np.abs(input_of_units(layer, W, x) - naive).max() <= EXACT * max(1, np.abs(naive).max())
    assert layer.shape(source) == naive.shape[1:]
    assert layer.synapses(source, layer.shape(source)) == synapses


@given(st.sampled_from([Conv, Local, Full]), sides, sides, sides, sides, strides, paddings, st.integers(0, 99))
def test_feedback_is_the_transpose_and_hebbian_the_product(kind, kh, kw, height, width, stride, padding, seed):
    # <delta, W x> = <W' delta, x> = <W, hebbian(delta, x)>: one number, three ways.
    rng = np.random.default_rng(seed)
    layer = Full(4) if kind is Full else kind(3, (kh, kw), stride=stride, padding=padding)
    source = (2, height + kh - 1, width + kw - 1)
    shape = layer.shape(source)
    x, delta = rng.standard_normal((2, *source)), rng.standard_normal((2, *shape))
    W = rng.standard_normal(layer.weight_shape(source, shape))
    forward = np.vdot(delta, input_of_units(layer, W, x))
    size = np.abs(delta).sum() * np.abs(x).max() * np.abs(W).max()
    assert abs(forward - np.vdot(feedback_to_source(layer, W, delta, source), x)) <= EXACT * size
    assert abs(forward - np.vdot(W, hebbian(layer, delta, x))) <= EXACT * size


def naive_windows(layer, anchor, x):
    """The window of every output, pixel by pixel: value, row, column; zeros outside."""
    anchor = "corner" if layer.place else anchor
    whole = layer.size if layer.place == "valid" else 1  # pixels of a window that must lie on the map
    for i in range((x.shape[0] - whole) // layer.stride + 1):
        for j in range((x.shape[1] - whole) // layer.stride + 1):
            back = (layer.size - 1) // 2 if anchor == "centre" else 0
            pixels = []
            for a in range(layer.size):
                for b in range(layer.size):
                    row, column = i * layer.stride - back + a, j * layer.stride - back + b
                    inside = 0 <= row < x.shape[0] and 0 <= column < x.shape[1]
                    pixels.append((x[row, column] if inside else 0.0, row, column, inside))
            yield i, j, pixels


@given(
    st.integers(1, 4), st.integers(1, 4), st.integers(1, 7), st.integers(1, 7), st.sampled_from(["centre", "corner"]),
    st.sampled_from(["", "corner", "valid"]), st.sampled_from(["first", "all"]), st.integers(0, 99),
)  # fmt: skip
def test_max_pooling_pixel_by_pixel(size, stride, height, width, anchor, place, ties, seed):
    rng = np.random.default_rng(seed)
    layer = Maxpool(size, stride, place)
    if place == "valid":
        height, width = height + size - 1, width + size - 1
    x = rng.integers(-2, 2, (height, width)).astype(float)  # few values, so many ties, with the padding's zeros too
    feedback = rng.standard_normal(layer.shape((1, height, width)))
    expected, routed = np.empty_like(feedback[0]), np.zeros_like(x)
    for i, j, pixels in naive_windows(layer, anchor, x):
        expected[i, j] = max(value for value, *_ in pixels)
        tied = [pixel for pixel in pixels if pixel[0] == expected[i, j]]
        for _, row, column, inside in tied if ties == "all" else tied[:1]:
            if inside:
                routed[row, column] += feedback[0, i, j]
    found = windows(layer, anchor, x[None, None])
    assert np.array_equal(found.max(axis=0)[0, 0], expected)
    parts = winners(found, ties) * feedback[None]
    assert np.allclose(from_windows(layer, anchor, parts, (1, height, width))[0, 0], routed, rtol=0, atol=EXACT)


def test_average_pooling_counts_the_padding():
    x = np.arange(9.0).reshape(1, 1, 3, 3)
    assert windows(Avgpool(3, 2), "centre", x).mean(axis=0)[0, 0].tolist() == [
        [(0 + 1 + 3 + 4) / 9, (1 + 2 + 4 + 5) / 9],
        [(3 + 4 + 6 + 7) / 9, (4 + 5 + 7 + 8) / 9],
    ]


def test_saturation():
    assert saturate(np.array([-3.0, -1.0, 0.25, 1.0, 9.0]), 2.0).tolist() == [-1, -1, 0.5, 1, 1]
