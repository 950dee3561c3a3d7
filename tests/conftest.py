"""Settings of all tests."""

import os

import pytest
from hypothesis import settings

settings.register_profile("default", deadline=None, max_examples=30, derandomize=True)
settings.load_profile("default")

# Before torch starts its threads: several test processes share the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def _no_user_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests neither read nor fill the user's own data folder and caches."""
    monkeypatch.delenv("HEBB_DATA", raising=False)
    monkeypatch.delenv("HEBB_UNVERIFIED_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
