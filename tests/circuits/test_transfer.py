"""Appendix 1's transfer functions: values at every boundary, the same in NumPy, Numba and Brian2."""

import numba
import numpy as np
import pytest

from circuits import transfer

M, S, EPSILON = 4.0, 1.0, 0.2
INFINITY = np.inf


def around(*points):
    """Each point with its two neighbouring floats."""
    return np.array([value for p in points for value in (np.nextafter(p, -INFINITY), p, np.nextafter(p, INFINITY))])


@pytest.mark.parametrize("mu", [0.5, 1.0])
def test_sigma_delta_has_the_five_levels_of_figure_13_with_closed_plateaus(mu):
    top, plateau = 1 + EPSILON, 1.0
    bottom, lower_plateau = -mu - EPSILON, -mu
    H = around(-2 * M - S, -M, M, 2 * M + S)
    expected = [bottom, lower_plateau, lower_plateau, lower_plateau, lower_plateau, 0, 0, plateau, plateau]
    expected += [plateau, plateau, top]
    np.testing.assert_array_equal(transfer.sigma_delta(H, M, S, mu, EPSILON), expected)


def test_sigma_t_is_zero_on_its_thresholds():
    np.testing.assert_array_equal(transfer.sigma_t(around(-0.5, 1.0), 1.0, -0.5), [-1, 0, 0, 0, 0, 1])


def test_shutdown_units_include_their_threshold():
    x = around(-1.0, 1.0)
    np.testing.assert_array_equal(transfer.u(x), [0, 0, 0, 0, 1, 1])
    np.testing.assert_array_equal(transfer.v(x), [-1, -1, 0, 0, 0, 0])


def test_shut_off_lets_exactly_minus_K_pass():
    np.testing.assert_array_equal(transfer.shut_off(around(-4.0), 4.0), [0, -4, np.nextafter(-4.0, INFINITY)])


@pytest.mark.parametrize("gain", [1.0, 0.5])
def test_saturate_is_clip(gain):
    h = np.concatenate([around(-2.0, -1.0, 0.0, 1.0, 2.0), np.linspace(-3, 3, 101)])
    np.testing.assert_array_equal(transfer.saturate(h, gain), np.clip(gain * h, -1, 1))


def test_a_unit_shut_off_by_its_control_receives_exactly_h():
    h = np.nextafter(M, 0)
    assert (h + 2 * M) - 2 * M == M  # the naive order of operations rounds up to M, where δ would be 1 instead of 0
    assert transfer.drive(h, 1.0, 1.0, M) == h
    assert transfer.sigma_delta(transfer.drive(h, 1.0, 1.0, M), M, S, 0.5, EPSILON) == 0


BOUNDARIES = {
    "saturate": (around(-1.0, 1.0), {"gain": 1.0}),
    "sigma_delta": (around(-2 * M - S, -M, M, 2 * M + S), {"M": M, "S": S, "mu": 0.5, "epsilon": EPSILON}),
    "sigma_t": (around(-0.5, 1.0), {"upper": 1.0, "lower": -0.5}),
    "u": (around(-1.0, 1.0), {}),
    "v": (around(-1.0, 1.0), {}),
    "shut_off": (around(-4.0), {"K": 4.0}),
}


@pytest.mark.parametrize("name", BOUNDARIES)
def test_numba_compiles_the_same_function(name):
    function = getattr(transfer, name)
    values, parameters = BOUNDARIES[name]
    compiled = numba.njit(function)
    expected = function(values, *parameters.values())
    np.testing.assert_array_equal([compiled(value, *parameters.values()) for value in values], expected)


@pytest.mark.filterwarnings("ignore::pyparsing.warnings.PyparsingDeprecationWarning")  # Brian2 2.9, newer pyparsing
@pytest.mark.parametrize("target", ["numpy", "cython"])
def test_brian_computes_the_same_values_from_the_generated_text(target, monkeypatch):
    """All functions in one group, so that the compiled target is compiled once."""
    brian2 = pytest.importorskip("brian2")
    monkeypatch.setitem(brian2.prefs, "codegen.target", target)
    size = max(len(values) for values, _ in BOUNDARIES.values())
    equations, namespace, updates, inputs = "", {}, [], {}
    for name, (values, parameters) in BOUNDARIES.items():
        function = getattr(transfer, name)
        argument = function.__code__.co_varnames[0]
        renamed = {parameter: f"{parameter}_{name}" for parameter in parameters}
        text = transfer.brian_expression(function, **{argument: f"in_{name}"}, **renamed)
        equations += f"in_{name} : 1\nout_{name} : 1\n"
        updates.append(f"out_{name} = {text}")
        namespace |= {renamed[parameter]: value for parameter, value in parameters.items()}
        inputs[name] = np.resize(values, size)
    group = brian2.NeuronGroup(size, equations, namespace=namespace)
    group.run_regularly("\n".join(updates))
    for name, values in inputs.items():
        setattr(group, f"in_{name}", values)
    brian2.Network(group).run(0.1 * brian2.ms)
    for name, (_, parameters) in BOUNDARIES.items():
        expected = getattr(transfer, name)(inputs[name], *parameters.values())
        np.testing.assert_array_equal(np.asarray(getattr(group, f"out_{name}")), expected, err_msg=name)


def test_brian_text_refuses_an_argument_the_function_lacks():
    with pytest.raises(TypeError, match="sigma_t has no argument H"):
        transfer.brian_expression(transfer.sigma_t, H="1")


def test_brian_text_keeps_the_order_of_operations_of_what_is_put_in():
    text = transfer.brian_expression(transfer.shut_off, z="a - b", K=4.0)
    assert text == "(a - b) * int(a - b >= -4.0)"
