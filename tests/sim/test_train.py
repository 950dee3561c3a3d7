"""Training runs: what they leave in their folder, and that stopping them anywhere loses nothing."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from network.errors import BadInput, Diverged
from network.weights import Weights
from sim.config import TrainConfig, config_text, make_config, read_config
from sim.data import load_data
from sim.health import check_health
from sim.run_folder import RunFolder, read_weights
from sim.train import resume, start
from tests.sim.conftest import engine_of, presentation

NET = "Conv 4 3x3; Maxpool 3; Drop .3; Full 20; Output"
QUICK = {"net": NET, "batch_size": 100, "epochs": 2, "device": "cpu"}


def train(folder, **changes):
    return start(TrainConfig(**{**QUICK, **changes}), folder, progress=False)


def same_weights(a: Path, b: Path) -> bool:
    (ours, epoch), (theirs, other) = (read_weights(Path(p) / "weights.safetensors") for p in (a, b))
    groups = [(x, y) for x, y in zip(vars(ours).values(), vars(theirs).values(), strict=True)]
    return epoch == other and all(
        x.keys() == y.keys() and all(np.array_equal(x[i], y[i]) for i in x) for x, y in groups
    )


def test_a_run_leaves_everything_in_its_folder(tmp_path):
    run = train(tmp_path / "run", connectivity=0.5)
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == {
        "config.toml", "metrics.jsonl", "weights.safetensors", "environment.txt", "errors.svg", "alignment.svg",
    }  # fmt: skip
    rows = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert rows == run.rows
    assert [row["epoch"] for row in rows] == [1, 2]
    for row in rows:
        assert all(0 <= row[f"{part}_error"] <= 1 for part in ("train", "validation", "test"))
        assert row["images_per_second"] > 0
        assert len(row["alignment"]) == len(row["alignment_angle"]) == 3
    assert make_config(read_config(tmp_path / "run/config.toml")) == run.config
    weights, epoch = read_weights(tmp_path / "run/weights.safetensors")
    assert epoch == 2
    assert set(weights.mask_W) == {1, 2}
    assert "1,295 training" in (tmp_path / "run/environment.txt").read_text()


@pytest.mark.parametrize("rule", ["bp", "bph", "urfb", "frfb"])
def test_every_rule_learns_the_digits(tmp_path, rule):
    run = train(tmp_path / "run", rule=rule, epochs=8, batch_size=25, net="Conv 8 3x3; Maxpool 3; Full 60; Output")
    errors = [row["validation_error"] for row in run.rows]
    # Chance is .9. Fixed feedback learns, but slowly, as in figure 4.
    assert errors[-1] < (0.6 if rule == "frfb" else 0.25)


def test_two_runs_of_one_config_are_the_same_to_the_bit(tmp_path):
    train(tmp_path / "a")
    train(tmp_path / "b")
    assert same_weights(tmp_path / "a", tmp_path / "b")


def test_the_rule_changes_neither_weights_nor_order(tmp_path):
    train(tmp_path / "urfb", epochs=0)
    train(tmp_path / "bph", epochs=0, rule="bph")
    (urfb, _), (bph, _) = (read_weights(tmp_path / rule / "weights.safetensors") for rule in ("urfb", "bph"))
    assert all(np.array_equal(urfb.W[i], bph.W[i]) for i in urfb.W)
    assert urfb.R
    assert not bph.R


def test_a_resumed_run_reaches_the_same_bits(tmp_path):
    train(tmp_path / "straight", epochs=4, connectivity=0.5)
    train(tmp_path / "halves", epochs=2, connectivity=0.5)
    resume(tmp_path / "halves", {"epochs": 4}, progress=False)
    assert same_weights(tmp_path / "straight", tmp_path / "halves")
    timeless = [
        [{k: v for k, v in row.items() if k != "images_per_second"} for row in RunFolder(tmp_path / n).read_metrics()]
        for n in ("straight", "halves")
    ]
    assert timeless[0] == timeless[1]


def command(*arguments):
    code = "import sys; from sim.cli import main; sys.exit(main(sys.argv[1:]))"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], stderr=subprocess.PIPE, text=True, env=environment
    )


LONG = ("train", "--net", "Conv 8 3x3; Maxpool 3; Drop .3; Full 60; Output", "--batch-size", 10, "--quiet")


def stopped_mid_epoch(folder, how):
    """Start a run whose epochs take a while, and stop it inside its third."""
    process = command(*LONG, "--epochs", 200, "--out", folder)
    deadline = time.monotonic() + 120
    weights = Path(folder) / "weights.safetensors"  # what an epoch writes last
    while not weights.exists() or read_weights(weights)[1] < 2:
        assert process.poll() is None, process.stderr
        assert time.monotonic() < deadline
        time.sleep(0.005)
    time.sleep(0.03)
    process.send_signal(how)
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors


def test_a_run_killed_in_mid_epoch_resumes_to_the_bits_of_one_that_was_not(tmp_path):
    code, _ = stopped_mid_epoch(tmp_path / "killed", signal.SIGKILL)
    assert code == -signal.SIGKILL
    _, epoch = read_weights(tmp_path / "killed/weights.safetensors")
    assert epoch >= 2
    for arguments in (("--resume", tmp_path / "killed"), (*LONG[1:-1], "--out", tmp_path / "straight")):
        process = command("train", *arguments, "--epochs", epoch + 2, "--quiet")
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    assert same_weights(tmp_path / "killed", tmp_path / "straight")


def test_a_run_killed_between_its_metrics_and_its_weights_resumes(tmp_path):
    train(tmp_path / "straight", epochs=3)
    train(tmp_path / "killed", epochs=2)
    row = {"epoch": 3, "train_error": 0.0}  # metrics of an epoch whose weights were never written
    with (tmp_path / "killed/metrics.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")
    resume(tmp_path / "killed", {"epochs": 3}, progress=False)
    assert same_weights(tmp_path / "straight", tmp_path / "killed")
    assert RunFolder(tmp_path / "killed").read_metrics()[2]["train_error"] > 0


def test_ctrl_c_leaves_a_run_that_can_be_resumed(tmp_path):
    code, errors = stopped_mid_epoch(tmp_path / "run", signal.SIGINT)
    assert code == 130
    assert "hebb train --resume" in errors
    assert "Traceback" not in errors
    _, epoch = read_weights(tmp_path / "run/weights.safetensors")
    run = resume(tmp_path / "run", {"epochs": epoch + 1}, progress=False)
    assert len(run.rows) == epoch + 1


def test_a_full_disk_is_named_and_leaves_the_last_epoch_whole(tmp_path, monkeypatch):
    train(tmp_path / "run", epochs=1)

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError) as caught:
            resume(tmp_path / "run", {"epochs": 2}, progress=False)
    assert "run" in str(caught.value.filename)
    assert not list((tmp_path / "run").glob(".*"))
    assert len(resume(tmp_path / "run", {"epochs": 2}, progress=False).rows) == 2


def test_a_second_run_never_overwrites_the_first(tmp_path):
    train(tmp_path / "run", epochs=1)
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    with pytest.raises(BadInput, match="holds a run already"):
        train(tmp_path / "run", seed=1)
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before


def test_unnamed_runs_get_folders_of_their_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folders = [train(None, net="simpnet", epochs=0, **more).folder.as_posix() for more in ({}, {}, {"rule": "bp"})]
    assert folders == [
        "runs/simpnet-urfb-digits-seed0", "runs/simpnet-urfb-digits-seed0-2", "runs/simpnet-bp-digits-seed0",
    ]  # fmt: skip


def test_resuming_refuses_to_become_another_run(tmp_path):
    train(tmp_path / "run")
    for change, message in [
        ({"eta": 0.2}, "eta 0.2: the run was started with 0.1"),
        ({"rule": "bph"}, "rule bph: the run was started with urfb"),
        ({"epochs": 1}, "has done 2 already"),
    ]:
        with pytest.raises(BadInput, match=message):
            resume(tmp_path / "run", change, progress=False)
    with pytest.raises(BadInput, match=r"no config\.toml"):
        resume(tmp_path, {}, progress=False)


@pytest.mark.parametrize(
    ("name", "spoil", "message"),
    [
        ("weights.safetensors", lambda b: b[: len(b) // 2], "weights.safetensors: damaged"),
        ("weights.safetensors", lambda b: b"", "weights.safetensors: damaged"),
        ("weights.safetensors", lambda b: b[:-3] + bytes([b[-3] ^ 1]) + b[-2:], "not those that were written"),
        ("metrics.jsonl", lambda b: b[: len(b) // 2], "metrics.jsonl"),
        ("metrics.jsonl", lambda b: b"1\n", "metrics.jsonl: damaged"),
        ("metrics.jsonl", lambda b: b'{"epoch": 1}\n', "metrics.jsonl: damaged"),
        ("metrics.jsonl", lambda b: b.replace(b'"alignment": [', b'"alignment": ["x", '), "metrics.jsonl: damaged"),
        ("config.toml", lambda b: b.replace(b"Full 20", b"Full 9"), "--resume .*W/2 has shape 20x64"),
        ("config.toml", lambda b: b + b"etta = 1\n", "did you mean 'eta'"),
        ("config.toml", lambda b: b"net = ", "not TOML"),
    ],
)
def test_damaged_run_files_are_named(tmp_path, name, spoil, message):
    train(tmp_path / "run", epochs=1)
    path = tmp_path / "run" / name
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(BadInput, match=message):
        resume(tmp_path / "run", {"epochs": 2}, progress=False)


def test_a_saturated_run_stops_and_names_the_layer(tmp_path):
    with pytest.raises(Diverged, match=r"full2: every unit is saturated.*eta below 5e\+07"):
        train(tmp_path / "run", net="Conv 4 3x3; Full 20; Output", eta=5e7, rule="frfb")
    _, weights = RunFolder(tmp_path / "run").read_epoch()
    assert np.abs(weights.W[1]).max() < 1  # the last good epoch is what is kept


def test_a_run_with_numbers_that_are_not_finite_stops():
    spec, weights, images, _ = presentation("Full 5; Output", "urfb", shape=(1, 4, 4))
    images[1, 0, 2, 2] = np.nan
    for name in ("reference", "torch"):
        engine = engine_of(name, spec, weights, "urfb", order="after_update")
        with pytest.raises(Diverged, match="full1: its input is no longer a finite number; order 'after_update'"):
            check_health(engine.saturation(engine.stage(images)), engine.settings)


def test_a_layer_that_is_nearly_saturated_is_reported_once(tmp_path, capsys):
    settings = {"net": "Conv 4 3x3; Full 20; Output", "eta": 3.0, "rule": "frfb", "epochs": 3}
    run = train(tmp_path / "run", **settings)
    assert 0.95 < run.engine.saturation(run.engine.stage(load_data("digits").train.images))["full2"] < 1
    lines = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert len(lines) == 1
    assert "full2: " in lines[0]
    assert "eta below 3," in lines[0]


def test_the_engines_report_the_same_saturation():
    spec, weights, images, _ = presentation("Conv 4 3x3; Full 9; Output", "urfb", shape=(1, 6, 6), scale=4.0, gain=0.7)
    reference, torch = (
        (engine := engine_of(name, spec, weights, "urfb")).saturation(engine.stage(images))
        for name in ("reference", "torch")
    )
    assert reference == torch
    assert 0 < reference["full2"] < 1
    assert reference["output3"] == 0


def test_training_by_the_reference_engine_follows_torch(tmp_path):
    runs = [train(tmp_path / e, engine=e, dtype="float64", epochs=2, batch_size=200) for e in ("torch", "reference")]
    weights: list[Weights] = [run.engine.weights() for run in runs]
    assert [row["test_error"] for row in runs[0].rows] == [row["test_error"] for row in runs[1].rows]
    for i in weights[0].W:
        assert np.allclose(weights[0].W[i], weights[1].W[i], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rule": "ufrb"}, "rndf, dfa; did you mean 'urfb'"),
        ({"batch_sise": 3}, "--batch-sise: no such setting; did you mean 'batch_size'"),
        ({"eta": "fast"}, "--eta 'fast': input should be a valid number"),
        ({"eta": "nan"}, "--eta 'nan'"),
        ({"batch_size": 0}, "--batch-size '0': input should be greater than or equal to 1"),
        ({"connectivity": 1.5}, "--connectivity '1.5'"),
        ({"seed": -1}, "--seed '-1'"),
    ],
)
def test_config_mistakes_name_the_flag_the_value_and_what_would_work(values, message):
    with pytest.raises(BadInput) as caught:
        make_config(values, "--{}")
    assert message in str(caught.value)


def test_config_survives_a_round_trip(tmp_path):
    config = TrainConfig(net=NET, mu=0.25, feedback_rate=0.5, data_dir="somewhere", dtype="float64")
    (tmp_path / "c.toml").write_text(config_text(config))
    assert make_config(read_config(tmp_path / "c.toml")) == config
