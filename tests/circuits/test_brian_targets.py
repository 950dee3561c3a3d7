"""One circuit, all of Brian2's code generation targets."""

import shutil
import subprocess
import sys
from pathlib import Path

import brian2
import numpy as np
import pytest
from brian2 import ms

from circuits.brian import DelayedCoupling, FeedbackShutdownCircuit, OutputErrorCircuit

ROOT = Path(__file__).parents[2]
NO_COMPILER = shutil.which("g++") is None and shutil.which("cl") is None

H, OTHER = [2, 0.5, -2, -0.5, 1, 3.5], [1, 1, -1, -1, 1, 1]

# Brian2's own options but -O1 for -O3, which halves the time to compile.
COMPILER_OPTIONS = ["-w", "-O1", "-ffast-math", "-fno-finite-math-only"]

STANDALONE = """
import sys
import brian2
sys.path.insert(0, sys.argv[1])
from test_brian_targets import COMPILER_OPTIONS, run_both
brian2.prefs.codegen.cpp.extra_compile_args_gcc = COMPILER_OPTIONS
brian2.set_device("cpp_standalone", directory=sys.argv[2])
run_both(sys.argv[3])
"""


def run_both(path):
    """Run both circuits and a delayed coupling with the target there is, and save what they did."""
    # Of the monitors only what is compared: each is more to compile.
    error = OutputErrorCircuit(H, OTHER, delay=[30, 10, 20, 30, 30, 5] * ms, record=False)
    shutdown = FeedbackShutdownCircuit(H, OTHER, record=False)
    delta = brian2.StateMonitor(error["error"], "delta", record=True)
    delta_tilde = brian2.StateMonitor(shutdown["unit"], "delta_tilde", record=True)
    # In standalone mode the past is kept by equations, elsewhere by a buffer.
    group = brian2.NeuronGroup(2, "dy/dt = (I - y)/(10*ms) : 1\nI : 1", method="exponential_euler")
    weights, delays = [[0.5, -1.5], [2.0, 0.0]], np.array([[4, 16], [8.8, 0.8]])
    coupling = DelayedCoupling(group, "y", group, "I", weights=weights, delay=delays * ms, before=[1, -1])
    y = brian2.StateMonitor(group, "y", record=True)
    brian2.Network(error, shutdown, delta, delta_tilde, group, coupling, y).run(100 * ms, namespace={})
    np.savez(path, delta=delta.delta, delta_tilde=delta_tilde.delta_tilde, y=y.y)


@pytest.fixture
def reference(tmp_path, numpy_target):
    """The result of the numpy target."""
    run_both(tmp_path / "numpy.npz")
    with np.load(tmp_path / "numpy.npz") as result:
        return dict(result)


def assert_same(path, reference):
    with np.load(path) as result:
        # Compilers may contract and reorder operations: a rounding or two of values near 1 a step, over 1000 steps.
        # Were one event a single step earlier or later, delta would differ by dt / tau = 1e-2.
        np.testing.assert_allclose(result["delta"], reference["delta"], atol=2000 * 2.3e-16, rtol=0)
        np.testing.assert_array_equal(result["delta_tilde"], reference["delta_tilde"])
        # A step of delay more or less would change y by about dt / tau = 1e-2 of it.
        np.testing.assert_allclose(result["y"], reference["y"], atol=1e-12 * np.abs(reference["y"]).max(), rtol=0)
    assert np.ptp(reference["delta"], axis=1)[[0, 2, 5]].min() > 0.6
    assert (reference["delta_tilde"][0] == 0).any()


@pytest.mark.skipif(NO_COMPILER, reason="no C++ compiler for Brian2's cython target")
def test_cython_target_agrees_with_numpy(tmp_path, reference, monkeypatch):
    pytest.importorskip("Cython")
    monkeypatch.setitem(brian2.prefs, "codegen.cpp.extra_compile_args_gcc", COMPILER_OPTIONS)
    brian2.prefs.codegen.target = "cython"  # the fixture `numpy_target` puts back what there was
    run_both(tmp_path / "cython.npz")
    assert_same(tmp_path / "cython.npz", reference)


@pytest.mark.skipif(NO_COMPILER, reason="no C++ compiler for Brian2's cpp_standalone")
def test_cpp_standalone_agrees_with_numpy(tmp_path, reference):
    # In a process of its own: a device is chosen once.
    command = [sys.executable, "-c", STANDALONE, str(Path(__file__).parent), str(tmp_path / "build")]
    command.append(str(tmp_path / "standalone.npz"))
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=1500)
    assert_same(tmp_path / "standalone.npz", reference)
