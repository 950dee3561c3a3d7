"""The command line as a new user meets it: results, one-line errors, exit codes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from network.interchange import Step, read_trace, write_step
from network.rules import RULES
from sim.cli import COMMANDS, main
from sim.engine import CIRCUITS, ENGINES
from tests.sim.conftest import engine_of, presentation
from validation.compare import compare
from validation.tolerances import TOLERANCES

NET = "Conv 3 3x3; Maxpool 3; Full 8; Output"
ROOT = Path(__file__).resolve().parents[2]


def step_file(path, net=NET, rule="urfb", **changes):
    """A step file as someone else would write it, with `changes` to its entries (None leaves one out)."""
    spec, weights, images, labels = presentation(net, rule, shape=(2, 7, 6), classes=4, scale=2.0)
    arrays = {"images": images, "labels": labels}
    arrays |= {f"W/{i}": w for i, w in weights.W.items()} | {f"R/{i}": r for i, r in weights.R.items()}
    arrays |= {name.replace("_", "/"): value for name, value in changes.items()}
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})
    weights.R.pop(1, None)  # it feeds nothing back, and no engine gets to see it
    return spec, weights, images, labels


def step(tmp_path, *flags, net=NET):
    arguments = ["step", "--net", net, "--in", str(tmp_path / "in.npz"), "--out", str(tmp_path / "out.npz"), *flags]
    return main(arguments)


def refused(capsys, code, *words):
    """The command ended with exit code 2 and one line that says these words."""
    error = capsys.readouterr().err.strip()
    assert code == 2
    assert len(error.splitlines()) == 1
    for word in words:
        assert word in error


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("engine", [name for name in ENGINES if name != "brian"])  # exact: see test_brian_command.py
def test_step_writes_what_the_engine_did(tmp_path, rule, engine, capsys):
    signs = RULES[rule].signs
    without_R: dict[str, Any] = {f"R_{i}": None for i in (1, 2, 3)} if signs else {}
    spec, weights, images, labels = step_file(tmp_path / "in.npz", rule="urfb", **without_R)
    code = step(tmp_path, "--engine", engine, "--rule", rule, "--eta", "0.2", "--mu", "0.4", "--gain", "0.8")
    if RULES[rule].loss == "softmax" and engine in CIRCUITS:
        words = ("made anew", "--engine torch") if signs else ("no circuit", "bph")
        refused(capsys, code, f"rule '{rule}'", *words)
        return
    assert code == 0
    trace = read_trace(tmp_path / "out.npz")
    spec = type(spec).parse(NET, (2, 7, 6), 4, gain=0.8)
    if RULES[rule].symmetric:
        weights.R = {}
    if signs:
        weights.follow_signs(spec, signs, seed=0, update=0)
    expected = engine_of("reference", spec, weights, rule, eta=0.2, mu=0.4).present(images, labels)
    found = compare(expected, trace)
    assert found.within(TOLERANCES["float64"]), found.worst
    assert {q: sorted(a) for q, a in trace.arrays().items()} == {q: sorted(a) for q, a in expected.arrays().items()}
    meta = trace.meta
    assert (meta["engine"], meta["rule"], meta["eta"], meta["mu"], meta["gain"]) == (engine, rule, 0.2, 0.4, 0.8)
    assert (meta["net"], meta["dtype"], meta["order"]) == (spec.notation, "float64", "before_update")
    assert "numpy" in meta["versions"]


@pytest.mark.parametrize(
    ("rule", "R", "made"), [("usf", 0.5, "makes 1"), ("nusf", 1.0, "makes 0.1"), ("brsf", -0.5, "")]
)
def test_step_refuses_feedback_that_the_rule_would_not_make(tmp_path, rule, R, made, capsys):
    _, weights, *_ = presentation(NET, "usf", shape=(2, 7, 6), classes=4)
    W = np.abs(weights.W[3])
    step_file(tmp_path / "in.npz", W_3=W, R_2=weights.W[2] * 0, R_3=np.full_like(W, R))
    refused(capsys, step(tmp_path, "--rule", rule), "in.npz: R/3 is", f"rule '{rule}'", made, "leave every R out")
    allowed = {"usf": 1.0, "nusf": 1 / 8, "brsf": 0.5}[rule]
    step_file(tmp_path / "in.npz", W_3=W, R_2=weights.W[2] * 0, R_3=np.full_like(W, allowed))
    assert step(tmp_path, "--rule", rule) == 0


def test_step_in_float32_and_after_update(tmp_path):
    step_file(tmp_path / "in.npz")
    assert step(tmp_path, "--dtype", "float32", "--order", "after_update", "--json", str(tmp_path / "r.json")) == 0
    trace = read_trace(tmp_path / "out.npz")
    assert trace.delta[1].dtype == np.float32
    assert trace.meta["order"] == "after_update"
    assert json.loads((tmp_path / "r.json").read_text())["layers"]["dR"] == [2, 3]


@pytest.mark.parametrize("first", [None, np.full((2, 2), np.nan)])
def test_the_first_r_is_left_aside_whatever_it_is(tmp_path, first):
    step_file(tmp_path / "in.npz", R_1=first)
    assert step(tmp_path) == 0
    assert sorted(read_trace(tmp_path / "out.npz").dR) == [2, 3]


def test_rules_through_w_need_no_r_and_always_run_before_update(tmp_path, capsys):
    step_file(tmp_path / "in.npz", R_1=None, R_2=None, R_3=np.full((9, 9), np.nan))
    assert step(tmp_path, "--rule", "bph", "--order", "after_update") == 0
    assert "always runs before_update" in capsys.readouterr().err
    trace = read_trace(tmp_path / "out.npz")
    assert trace.meta["order"] == "before_update"
    assert not trace.dR


def test_step_respects_masks(tmp_path):
    _, weights, images, labels = presentation(NET, "urfb", shape=(2, 7, 6), classes=4, connectivity=0.5)
    write_step(tmp_path / "in.npz", Step(images, labels, weights))
    assert step(tmp_path) == 0
    trace = read_trace(tmp_path / "out.npz")
    for increments, masks in ((trace.dW, weights.mask_W), (trace.dR, weights.mask_R)):
        assert all(not increments[i][~masks[i]].any() and increments[i].any() for i in masks if i in increments)
    assert len(trace.dR) == 2


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("engine", "dtype"), [("reference", "float64"), ("torch", "float64"), ("torch", "float32")])
def test_step_refuses_numbers_that_overflow(tmp_path, capsys, engine, dtype):
    step_file(tmp_path / "in.npz", images=np.full((3, 2, 7, 6), 1e308))
    refused(capsys, step(tmp_path, "--engine", engine, "--dtype", dtype), "in.npz", dtype)
    assert not (tmp_path / "out.npz").exists()


def test_step_refuses_masks_that_are_not_masks(tmp_path, capsys):
    _, weights, images, labels = presentation(NET, "urfb", shape=(2, 7, 6), classes=4)
    weights.mask_W[2] = np.full(weights.W[2].shape, 0.5)
    write_step(tmp_path / "in.npz", Step(images, labels, weights))
    refused(capsys, step(tmp_path), "mask_W/2", "other than 0 and 1")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"images": None}, ["'images' is missing"]),
        ({"labels": None}, ["'labels' is missing"]),
        ({"W_2": None}, ["W/2 is missing", "full3"]),
        ({"R_3": None}, ["R/3 is missing"]),
        ({"W_3": None}, ["W/3 is missing", "W/1, W/2"]),
        ({"W_1": np.zeros((3, 2, 3, 4))}, ["W/1 has shape 3x2x3x4", "3x2x3x3"]),
        ({"R_2": np.zeros((8, 5))}, ["R/2 has shape 8x5"]),
        ({"W_4": np.zeros((8, 5))}, ["W/4", "3 layers with weights"]),
        ({"images": np.zeros((3, 7, 6))}, ["images has shape 3x7x6"]),
        ({"images": np.zeros((3, 2, 7, 6), np.uint8)}, ["images has dtype uint8"]),
        ({"images": np.full((3, 2, 7, 6), np.nan)}, ["images is nan at [0, 0, 0, 0]"]),
        ({"images": np.full((3, 2, 7, 6), np.inf)}, ["images is inf"]),
        ({"W_2": np.full((8, 36), np.nan)}, ["W/2 is nan at [0, 0]"]),
        ({"labels": np.array([0, 1])}, ["labels has shape 2"]),
        ({"labels": np.array([0, 4, 1])}, ["labels[1] is 4", "0 to 3"]),
        ({"labels": np.array([0, -1, 1])}, ["labels[1] is -1"]),
        ({"labels": np.array([0.0, 1.0, 2.0])}, ["labels has dtype float64"]),
        ({"labels": np.array([{}, 1, 2])}, ["'labels'", "Python objects"]),
        ({"W_x": np.zeros(2)}, ["'W/x'"]),
        ({"W_²": np.zeros(2)}, ["'W/²'"]),
        ({"W_01": np.zeros(2)}, ["'W/01'"]),
    ],
)
def test_step_refuses_by_name(tmp_path, capsys, changes, words):
    step_file(tmp_path / "in.npz", **changes)
    refused(capsys, step(tmp_path), "in.npz", *words)
    assert not (tmp_path / "out.npz").exists()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--classes", "5"), ["4 rows", "5 classes"]),
        (("--rule", "ufrb"), ["did you mean 'urfb'"]),
        (("--engine", "troch"), ["did you mean 'torch'"]),
        (("--order", "after"), ["before_update, after_update"]),
        (("--dtype", "float23"), ["did you mean 'float32'"]),
        (("--eta", "-1"), ["eta -1"]),
        (("--eta", "quick"), ["--eta", "quick"]),
        (("--mu", "nan"), ["mu nan"]),
        (("--gain", "0"), ["gain 0"]),
        (("--device", "cuda:99"), ["device 'cuda:99'"]),
        (("--device", "tpu"), ["device 'tpu'"]),
        (("--engine", "reference", "--dtype", "float32"), ["float64, not float32"]),
        (("--fedback-rate", "1"), ["did you mean '--feedback-rate'"]),
        (("--semantics", "code"), ["semantics 'code'"]),
    ],
)
def test_step_refuses_flags(tmp_path, capsys, flags, words):
    step_file(tmp_path / "in.npz")
    refused(capsys, step(tmp_path, *flags), *words)


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 cut"])
def test_step_refuses_files_that_are_no_npz(tmp_path, capsys, content):
    (tmp_path / "in.npz").write_bytes(content)
    refused(capsys, step(tmp_path), "in.npz", "expected an .npz file")


def test_step_refuses_a_single_array_and_a_missing_file(tmp_path, capsys):
    with (tmp_path / "in.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    refused(capsys, step(tmp_path), "single array")
    (tmp_path / "in.npz").unlink()
    refused(capsys, step(tmp_path), "no such file")


def test_step_refuses_a_corrupted_entry_by_name(tmp_path, capsys):
    step_file(tmp_path / "in.npz")
    data = bytearray((tmp_path / "in.npz").read_bytes())
    at = data.index(b"W/2.npy") + 400
    data[at : at + 8] = b"spoiled!"
    (tmp_path / "in.npz").write_bytes(bytes(data))
    refused(capsys, step(tmp_path), "entry 'W/2'")


def test_show_prints_the_table(capsys):
    assert main(["show", "deepernet"]) == 0
    text = capsys.readouterr().out
    assert "conv14     Conv 128 3x3  conv13" in text
    assert main(["show", "deepernet", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["totals"]["weights"] == 1_322_040


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show", "depernet"], ["did you mean 'deepernet'"]),
        (["show", "Covn 3 3x3; Output"], ["did you mean 'Conv'"]),
        (["show", "simpnet", "--input", "32"], ["CxHxW"]),
        (["show"], ["NET"]),
        (["shwo", "simpnet"], ["did you mean 'show'"]),
        (["train", "--rule", "ufrb"], ["did you mean 'urfb'"]),
        (["train", "--data", "cifar"], ["did you mean 'cifar10"]),
        (["train", "--net", "simpnett"], ["did you mean 'simpnet'"]),
        (["train", "--engine", "torhc"], ["did you mean 'torch'"]),
        (["train", "--epochs", "many"], ["--epochs 'many'"]),
        (["train", "--ruel", "urfb"], ["did you mean '--rule'"]),
        (["train", "--config", "nowhere.toml"], ["nowhere.toml: No such file"]),
        (["train", "--resume", "nowhere"], ["nowhere", "config.toml"]),
        (["train", "--resume", "a", "--out", "b"], ["--out b"]),
        (["train", "--rule", "frfb", "--feedback-rate", "1"], ["'urfb' takes both"]),
        (["demo", "--seeds", "0"], ["--seeds 0"]),
        (["demo", "--json", "nowhere/x.json"], ["--json", "nowhere/x.json", "folder that exists"]),
        (["train", "--resume", ""], ["--resume ''"]),
        (["train", "--eta", "-1e-3"], ["--eta '-1e-3'"]),
        (["train", "--net", "Full 1000000; Full 1000000; Output"], ["full2", "GiB"]),
    ],
)
def test_mistakes_are_one_line_with_what_was_meant(tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    refused(capsys, main(arguments), *words)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_examples(command, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    assert f"hebb {command}" in capsys.readouterr().out.lower().split("examples:")[1]


@pytest.mark.parametrize("command", ["timing", "step"])
def test_a_package_that_is_missing_is_named_with_what_installs_it(tmp_path, command):
    code = "import sys; sys.modules['numba'] = None; from sim.cli import main; sys.exit(main(sys.argv[1:]))"
    flags = []
    if command == "step":
        step_file(tmp_path / "in.npz")
        flags = ["--net", NET, "--in", f"{tmp_path}/in.npz", "--out", f"{tmp_path}/out.npz", "--engine", "brian"]
    found = subprocess.run(
        [sys.executable, "-c", code, command, *flags], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert found.returncode == 2, found.stderr
    assert "'numba'" in found.stderr
    assert 'pip install "hebb[circuits]"' in found.stderr
    assert found.stderr.count("\n") == 1


def test_hebb_alone_lists_the_commands(capsys):
    assert main([]) == main(["--help"]) == main(["--version"]) == 0
    text = capsys.readouterr().out
    assert all(command in text for command in COMMANDS)


@pytest.mark.parametrize(
    "line", ["epochs = true", 'seed = "3"', 'device = "cuda\\n"', '"a\\nb" = 1', "[net]", "eta = nan"]
)
def test_a_config_file_of_the_wrong_kind_is_one_line(tmp_path, capsys, line):
    (tmp_path / "c.toml").write_text(line)
    refused(capsys, main(["train", "--config", str(tmp_path / "c.toml"), "--out", str(tmp_path / "run")]))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("command", ["--help", "show simpnet", "circuit shutdown --form discrete --json"])
def test_a_reader_that_has_gone_away_is_no_error(command):
    code = "import sys; from sim.cli import main; sys.exit(main(sys.argv[1:]))"
    pipe = subprocess.Popen(
        [sys.executable, "-c", code, *command.split()], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert pipe.stdout and pipe.stderr
    pipe.stdout.close()
    assert pipe.wait(60) == 0
    assert not pipe.stderr.read()
    pipe.stderr.close()


def test_a_config_file_counts_and_a_flag_wins_over_it(tmp_path, capsys):
    (tmp_path / "c.toml").write_text(f'net = "{NET}"\nepochs = 1\nrule = "frfb"\nbatch_size = 400\n')
    flags = ["--config", str(tmp_path / "c.toml"), "--rule", "bph", "--out", str(tmp_path / "run"), "--quiet"]
    assert main(["train", *flags, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["epochs"] == 1
    text = (tmp_path / "run/config.toml").read_text()
    assert 'rule = "bph"' in text
    assert "batch_size = 400" in text


def test_a_run_that_diverges_is_exit_code_1(tmp_path, capsys):
    flags = ["--net", "Full 9; Output", "--eta", "1e9", "--rule", "frfb", "--quiet", "--out", str(tmp_path / "run")]
    assert main(["train", *flags]) == 1
    assert "full1" in capsys.readouterr().err


def test_train_cifar_is_a_script_with_the_papers_defaults(tmp_path):
    """Run from another folder, not installed, without data and without a network it could reach."""
    script = [sys.executable, str(ROOT / "sim/train_cifar.py")]
    found = subprocess.run(
        [*script, "--data-dir", str(tmp_path)], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert found.returncode == 2
    assert "cifar-10-batches-bin/data_batch_1.bin" in found.stderr
    assert len(found.stderr.splitlines()) == 1
    shown = subprocess.run([*script, "--help"], cwd=tmp_path, capture_output=True, text=True, timeout=60).stdout
    assert "(default cifar10)" in shown
    assert "(default simpnet)" in shown


def test_train_cifar_trains(tmp_path):
    flags = ["--data", "digits", "--net", NET, "--epochs", "1", "--out", str(tmp_path / "run")]
    script = [sys.executable, str(ROOT / "sim/train_cifar.py"), *flags]
    found = subprocess.run(script, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert found.returncode == 0, found.stderr
    assert "urfb epoch 1/1" in found.stderr
    assert (tmp_path / "run/metrics.jsonl").exists()
