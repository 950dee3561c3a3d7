"""What the tests of the circuits share: Brian2 without a compiler, and without its warnings about its own parser."""

import pytest


def pytest_configure(config):
    # Brian2 2.9 calls pyparsing by names that newer versions of it deprecate: not a warning about this package.
    config.addinivalue_line("filterwarnings", r"ignore:'\w+' (deprecated|argument is deprecated):DeprecationWarning")


@pytest.fixture
def numpy_target():
    """Brian2 generates NumPy code: nothing to compile, so small circuits start at once."""
    brian2 = pytest.importorskip("brian2")
    target = brian2.prefs.codegen.target
    brian2.prefs.codegen.target = "numpy"
    yield
    brian2.prefs.codegen.target = target
