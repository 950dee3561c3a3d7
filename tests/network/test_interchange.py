import json

import numpy as np
import pytest

from network.errors import BadInput
from network.interchange import Step, read_step, read_trace, write_step, write_trace
from network.rules import make_rule
from network.spec import NetworkSpec
from network.trace import StepTrace, count_ties
from network.weights import Weights

NET = "Conv 2 3x3; Full 5; Output"
SPEC = NetworkSpec.parse(NET, (1, 4, 4), 3)


def test_a_step_survives_a_round_trip(tmp_path):
    step = Step(
        np.random.default_rng(0).random((2, 1, 4, 4)), np.array([0, 2]), Weights.draw(SPEC, 0, connectivity=0.5)
    )
    write_step(tmp_path / "s.npz", step)
    spec, read = read_step(tmp_path / "s.npz", NET, make_rule("urfb"))
    assert spec == SPEC
    assert np.array_equal(read.images, step.images)
    assert np.array_equal(read.labels, step.labels)
    for group in (step.weights.R, step.weights.mask_R):
        del group[1]  # it feeds nothing back, and is left aside
    for ours, theirs in zip(vars(step.weights).values(), vars(read.weights).values(), strict=True):
        assert ours.keys() == theirs.keys()
        assert all(np.array_equal(ours[i], theirs[i]) and ours[i].dtype == theirs[i].dtype for i in ours)


def test_a_trace_survives_a_round_trip(tmp_path):
    trace = StepTrace(h={1: np.ones((2, 3))}, dW={1: np.eye(3), 2: np.zeros((1, 2))}, ties=3, meta={"eta": 0.1})
    write_trace(tmp_path / "t.npz", trace)
    read = read_trace(tmp_path / "t.npz")
    assert (read.ties, read.meta, sorted(read.dW), read.x) == (3, {"eta": 0.1}, [1, 2], {})
    with np.load(tmp_path / "t.npz") as file:
        assert json.loads(str(file["meta"])) == {"eta": 0.1}


def test_a_trace_without_any_array_is_refused(tmp_path):
    np.savez(tmp_path / "t.npz", images=np.ones(3))
    with pytest.raises(BadInput, match=r"t\.npz: holds no h/<i>"):
        read_trace(tmp_path / "t.npz")


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(BadInput, match="expected a folder that exists"):
        write_trace(tmp_path / "nowhere/t.npz", StepTrace())


def test_ties_are_counted_in_the_circuits_range():
    # M = 3, so the comparison is made near 2 M + S = 7, where float32 numbers lie 2^-21 apart and float64 2^-50.
    near = 1 + 2.0**-22
    outputs = np.array([[near, -near, 3.0], [1.0, 1.0, -1.0]])
    labels = np.array([0, 1])
    assert count_ties(outputs, labels, 1.0, "float32") == 4  # 1 and -1 exactly are ties in any precision
    assert count_ties(outputs, labels, 1.0, "float64") == 2
