"""``hebb train --tensorboard``: TensorBoard's own reader finds every epoch once, whatever happened to the run."""

import json

import pytest

from sim.cli import main
from sim.run_folder import EVENTS, RunFolder
from sim.tensorboard import Board, scalars
from tests.test_imports import run_without

FLAGS = ["--net", "Full 5; Output", "--engine", "reference", "--dtype", "float64", "--quiet"]


@pytest.fixture
def accumulator():
    module = "tensorboard.backend.event_processing.event_accumulator"
    return pytest.importorskip(module, reason='needs the package tensorboard: pip install "hebb[tensorboard]"')


def train(*flags):
    return main(["train", *FLAGS, *map(str, flags)])


def read(accumulator, folder):
    """What TensorBoard shows of a run: tag to [(step, value), ...]; and the rows of the run."""
    found = accumulator.EventAccumulator(str(folder), size_guidance={"scalars": 0})
    found.Reload()
    shown = {tag: [(e.step, e.value) for e in found.Scalars(tag)] for tag in found.Tags()["scalars"]}
    return shown, [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def same(shown, rows):
    assert {"error/train", "error/validation", "error/test", "images_per_second", "alignment/2"} <= set(shown)
    expected: dict[str, list] = {}
    for row in rows:
        for tag, value in scalars(row):
            expected.setdefault(tag, []).append((row["epoch"], pytest.approx(value, rel=1e-6)))
    assert shown == expected


def test_a_resumed_run_goes_on_without_doubling_steps(tmp_path, accumulator):
    run = tmp_path / "run"
    assert train("--epochs", 2, "--tensorboard", "--out", run) == 0
    shown, rows = read(accumulator, run)
    assert len(rows) == 2
    same(shown, rows)
    assert main(["train", "--resume", str(run), "--epochs", "3", "--quiet"]) == 0
    shown, rows = read(accumulator, run)
    assert len(rows) == 3
    same(shown, rows)


def test_what_a_killed_run_had_not_saved_is_cut_off_and_what_it_had_not_written_is_added(tmp_path, accumulator):
    run = tmp_path / "run"
    assert train("--epochs", 1, "--out", run) == 0
    assert main(["train", "--resume", str(run), "--tensorboard", "--epochs", "2", "--quiet"]) == 0
    shown, rows = read(accumulator, run)
    same(shown, rows)  # the first epoch, too, which was run without
    file = run / EVENTS
    Board(RunFolder(run), rows).write({**rows[-1], "epoch": 3})
    file.write_bytes(file.read_bytes() + file.read_bytes()[-30:-7])  # killed in the midst of writing the next
    assert main(["train", "--resume", str(run), "--epochs", "3", "--quiet"]) == 0
    shown, rows = read(accumulator, run)
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    same(shown, rows)


def test_scalars_are_the_numbers_of_a_row():
    row = {"epoch": 4, "train_error": 0.5, "test_error": None, "images_per_second": 10, "alignment": [0.1, None, 0.3]}
    expected = {"error/train": 0.5, "images_per_second": 10.0, "alignment/1": 0.1, "alignment/3": 0.3}
    assert dict(scalars(row)) == expected


def test_without_the_package_it_says_what_to_install(tmp_path):
    found = run_without("tensorboard", "train", *FLAGS, "--tensorboard", "--epochs", 1, "--out", tmp_path / "run")
    assert found.returncode == 2
    assert len(found.stderr.splitlines()) == 1 and 'pip install "hebb[tensorboard]"' in found.stderr
    assert not (tmp_path / "run").exists()


def test_without_the_flag_nothing_is_written(tmp_path):
    assert train("--epochs", 1, "--out", tmp_path / "run") == 0
    assert not (tmp_path / "run" / EVENTS).exists()
