"""Kills, full disks and folders that may not be written: the last record stays whole, and the run goes on."""

import errno
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sim.cli import main
from sim.run_folder import METRICS, WEIGHTS, RunFolder, read_weights

TRAIN = ("train", "--net", "Full 30; Output", "--engine", "reference", "--dtype", "float64", "--batch-size", "500")
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")


def command(*words: str, **options) -> subprocess.CompletedProcess[str]:
    """``hebb`` in a process of its own."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-m", "sim.cli", *words],
        capture_output=True,
        text=True,
        timeout=300,
        env=environment,
        **options,
    )


def test_three_kills_lose_nothing():
    words = ["-m", "tests.robust.chaos", "--kills", "3", "--kind", "train"]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing lost" in done.stdout


def test_fixed_seeds_give_the_same_bits_in_two_processes(tmp_path):
    """Weights and feedback drawn, half of the connections, dropout; `test_train` does it with compiled kernels."""
    net = "Conv 4 3x3; Maxpool 3; Drop .3; Full 20; Output"
    flags = (
        "--net",
        net,
        "--connectivity",
        ".5",
        "--batch-size",
        "500",
        "--epochs",
        "1",
        "--device",
        "cpu",
        "--quiet",
        "--kernels",
        "plain",
    )
    for name in ("a", "b"):
        done = command("train", *flags, "--seed", "7", "--out", str(tmp_path / name))
        assert done.returncode == 0, done.stderr
    first, second = ((tmp_path / name / WEIGHTS).read_bytes() for name in ("a", "b"))
    assert first == second


@pytest.fixture(scope="module")
def begun(tmp_path_factory) -> Path:
    """A run that has drawn its weights, but not learned."""
    folder = tmp_path_factory.mktemp("runs") / "begun"
    assert main([*TRAIN, "--epochs", "0", "--quiet", "--out", str(folder)]) == 0
    return folder


@pytest.fixture
def run(begun, tmp_path) -> Path:
    return Path(shutil.copytree(begun, tmp_path / "run"))


def whole(run: Path) -> bool:
    """Whether the run can be read, stands where it stood, and nothing half written lies beside it."""
    _, epoch = read_weights(run / WEIGHTS)
    return epoch == 0 and RunFolder(run).read_epoch()[0] == [] and not list(run.glob(".*"))


def test_a_limit_on_file_sizes_leaves_the_last_epoch_whole(run):
    """A real one, as a quota or a full disk is met in the middle of a file."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (8000, 8000))

    done = command("train", "--resume", str(run), "--epochs", "1", "--quiet", preexec_fn=limit)
    assert done.returncode == 2
    said = [
        line for line in done.stderr.splitlines() if "font_manager" not in line
    ]  # Matplotlib's cache has no room too
    assert said == [f"hebb train: error: {run / WEIGHTS}: {os.strerror(errno.EFBIG)}"]
    assert whole(run)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT, errno.EIO])
def test_what_a_disk_answers_is_said_in_one_line(run, monkeypatch, capsys, number):
    """Root may write anywhere, so the answer is put into the disk's mouth."""

    def answer(*_, dir=None, **__):
        raise OSError(number, os.strerror(number), *([str(dir)] if dir else []))  # what opens a file names it

    with monkeypatch.context() as patch:
        patch.setattr("tempfile.mkstemp" if number in (errno.EROFS, errno.EACCES) else "os.fsync", answer)
        assert main(["train", "--resume", str(run), "--epochs", "1", "--quiet"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert os.strerror(number) in lines[0]
    assert str(run) in lines[0]
    assert whole(run)


@pytest.mark.parametrize(
    "words",
    [
        (*TRAIN, "--epochs", "0", "--quiet", "--out", "/proc/here"),
        ("validate", "--quick", "--quiet", "--out", "/proc/here"),
        ("reproduce", "fig4", "--datasets", "digits", "--epochs", "1", "--out", "/proc/here"),
        ("theory", "--quick", "--quiet", "--out", "/proc/here"),
        ("show", "simpnet", "--json", "/proc/here/net.json"),
    ],
)
@pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no folder that nobody may write to")
def test_a_folder_that_cannot_be_written_is_named_before_the_work(capsys, words):
    assert main([*words]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "/proc/here" in lines[0]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_finds_no_room_is_one_line(unbuffered):
    with open("/dev/full", "w") as full:
        words = [sys.executable, "-m", "sim.cli", "show", "simpnet"]
        environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, env=environment, text=True, timeout=300)
    assert done.stderr.splitlines() == [f"hebb show: error: output: {os.strerror(errno.ENOSPC)}"]
    assert done.returncode == 2


def test_a_run_killed_before_it_had_a_config_begins_anew(begun, tmp_path):
    """Its weights are those that were drawn: nothing is lost."""
    left = tmp_path / "left"
    left.mkdir()
    shutil.copy(begun / WEIGHTS, left)
    (left / METRICS).touch()
    (left / ".config.toml.x.tmp").touch()
    assert main([*TRAIN, "--epochs", "0", "--quiet", "--out", str(left)]) == 0
    assert (left / WEIGHTS).read_bytes() == (begun / WEIGHTS).read_bytes()
    assert not list(left.glob(".*"))
