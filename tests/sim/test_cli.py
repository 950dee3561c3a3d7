"""The command line as a new user meets it: results, one-line errors, exit codes."""

import json
import subprocess
import sys

import pytest

from sim.cli import COMMANDS, main
from tests.sim.steps import NET, ROOT, refused, step_file


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
    shown = " ".join(shown.split())  # the help is wrapped
    assert "(default cifar10)" in shown
    assert "(default simpnet)" in shown


def test_train_cifar_trains(tmp_path):
    flags = ["--data", "digits", "--net", NET, "--epochs", "1", "--out", str(tmp_path / "run")]
    script = [sys.executable, str(ROOT / "sim/train_cifar.py"), *flags]
    found = subprocess.run(script, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert found.returncode == 0, found.stderr
    assert "urfb epoch 1/1" in found.stderr
    assert (tmp_path / "run/metrics.jsonl").exists()
