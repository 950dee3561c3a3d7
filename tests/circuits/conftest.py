"""What the tests of the circuits share: Brian2 without a compiler."""

import pytest


@pytest.fixture
def numpy_target():
    """Brian2 generates NumPy code: nothing to compile, so small circuits start at once."""
    brian2 = pytest.importorskip("brian2")
    target = brian2.prefs.codegen.target
    brian2.prefs.codegen.target = "numpy"
    yield
    brian2.prefs.codegen.target = target
