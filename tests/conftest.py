"""Settings of all tests."""

import os
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest
from hypothesis import settings

from sim.cli import EXTRAS

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


# The package has no torch and no Brian2 of its own: where an extra is not installed, its tests are skipped by name.
MISSING = [package for package in EXTRAS if find_spec(package) is None]


def _lacks(error: str) -> str:
    """Why a test cannot run here, if that is what an error says."""
    said = (package for package in MISSING if f"No module named '{package}'" in error or EXTRAS[package] in error)
    return next((f"Skipped: {package} is not installed: {EXTRAS[package]}" for package in said), "")


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    outcome: Any = yield
    report = outcome.get_result()
    reason = _lacks(str(report.longrepr)) if report.failed else ""
    if reason:
        report.outcome, report.longrepr = "skipped", (str(collector.path), 0, reason)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    outcome: Any = yield
    report = outcome.get_result()
    reason = _lacks(str(call.excinfo.value)) if report.failed and call.excinfo else ""
    if reason:
        report.outcome, report.longrepr = "skipped", (str(item.path), 0, reason)
