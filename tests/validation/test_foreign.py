"""Anyone's implementation: a trace with one wrong number is located, in words and by exit code."""

import json

import numpy as np
import pytest

from network.interchange import Step, read_arrays, write_step, write_trace
from network.rules import make_rule
from sim.cli import main
from tests.sim.conftest import engine_of, presentation
from validation.foreign import check_foreign
from validation.ties import Presented

NET = "Conv 3 3x3; Maxpool 3; Local 2 3x3; Full 7; Output"


def case_of(rule="urfb", order="before_update"):
    spec, weights, images, labels = presentation(NET, rule, images=4, shape=(2, 8, 8), classes=5, scale=2.5)
    return Presented(spec, weights, images, labels, make_rule(rule), order=order)


@pytest.fixture
def files(tmp_path):
    """A presentation, and what an implementation made of it that is right."""
    case = case_of()
    write_step(tmp_path / "step.npz", Step(case.images, case.labels, case.weights))
    trace = engine_of("torch", case.spec, case.weights, "urfb").present(case.images, case.labels)
    write_trace(tmp_path / "theirs.npz", trace)
    return tmp_path


def validate(folder, *flags):
    paths = ["--in", str(folder / "step.npz"), "--trace", str(folder / "theirs.npz")]
    return main(["validate", "--net", NET, *paths, *flags])


def spoil(folder, name, index, value):
    arrays = read_arrays(folder / "theirs.npz")
    arrays[name][index] = value
    np.savez(folder / "theirs.npz", **arrays)  # pyright: ignore[reportArgumentType]


def test_a_trace_that_is_right_agrees_with_every_engine(files, capsys):
    assert validate(files, "--json", str(files / "out.json")) == 0
    text = capsys.readouterr().out
    assert "agrees with the algorithm in float64" in text
    found = json.loads((files / "out.json").read_text())
    assert found["agrees"] and found["first_beyond"] is None
    assert {"reference", "torch", "event"} <= set(found["engines"])
    assert max(found["engines"].values()) < 1e-12


@pytest.mark.parametrize(
    ("name", "index", "words"),
    [
        ("h/1", (3, 2, 4, 5), "h/1: layer 1 (conv1), unit [4, 5] of map 2, image 3"),
        ("x/2", (1, 1, 0, 3), "x/2: layer 2 (local3), unit [0, 3] of map 1, image 1"),
        ("delta/3", (2, 6), "delta/3: layer 3 (full4), unit 6, image 2"),
        ("delta/4", (0, 4), "delta/4: layer 4 (output5), unit 4, image 0"),
        ("dW/1", (1, 0, 2, 1), "dW/1: layer 1 (conv1), all units of map 1, from map 0, kernel place [2, 1]"),
        ("dR/2", (1, 2, 3, 0, 1, 2), "dR/2: layer 2 (local3), unit [2, 3] of map 1, from map 0, kernel place [1, 2]"),
        ("dW/3", (5, 17), "dW/3: layer 3 (full4), unit 5, from unit [0, 1] of map 1"),
        ("dW/4", (3, 6), "dW/4: layer 4 (output5), unit 3, from unit 6"),
    ],
)
def test_one_wrong_number_is_located(files, capsys, name, index, words):
    spoil(files, name, index, 0.123)
    assert validate(files) == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == f"{files / 'theirs.npz'} does NOT agree with the algorithm in float64; first in {words}"


def test_a_number_that_is_none_is_located(files, capsys):
    spoil(files, "delta/2", (1, 0, 2, 2), np.nan)
    assert validate(files) == 1
    assert "first in delta/2: layer 2 (local3), unit [2, 2] of map 0, image 1" in capsys.readouterr().out


def test_settings_are_those_of_the_trace_and_flags_win(files, capsys):
    case = case_of()
    other = engine_of("event", case.spec, case.weights, "urfb", order="after_update", mu=0.3, eta=0.2)
    write_trace(files / "theirs.npz", other.present(case.images, case.labels))
    assert validate(files) == 0
    assert validate(files, "--eta", ".1") == 1
    assert "first in dW/4" in capsys.readouterr().out
    assert validate(files, "--order", "before_update") == 1
    assert "first in delta/3" in capsys.readouterr().out


def test_float32_is_judged_as_float32(files):
    case = case_of()
    engine = engine_of("torch", case.spec, case.weights, "urfb", dtype="float32")
    write_trace(files / "theirs.npz", engine.present(case.images.astype("float32"), case.labels))
    assert validate(files) == 0
    assert validate(files, "--dtype", "float64") == 1


def test_what_is_missing_is_told_and_not_compared(files, capsys):
    arrays = {name: a for name, a in read_arrays(files / "theirs.npz").items() if name in ("dW/1", "dW/2", "delta/4")}
    np.savez(files / "theirs.npz", **arrays)  # pyright: ignore[reportArgumentType]
    assert validate(files) == 0
    assert "not there, not compared: h/1" in capsys.readouterr().out


def test_a_reference_trace_locates_with_numbers_too():
    case = case_of("bph")
    theirs = case.by_reference()
    theirs.delta[1] = theirs.delta[1] * 1.5
    found = check_foreign(case, theirs)
    assert not found.agrees and found.agreement.first is not None
    assert (found.agreement.first.quantity, found.agreement.first.layer) == ("delta", 1)
    assert found.agreement.first.angle == pytest.approx(0, abs=1e-5)  # the direction is right, the size is not
    assert found.agreement.first.signs == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"h/1": np.zeros((4, 3))}, ["theirs.npz", "h/1 has shape"]),
        ({"h/9": np.zeros((4, 3))}, ["theirs.npz", "h/9", "4 layers"]),
        ({"delta/1": np.full((4, 3, 8, 8), "a")}, ["delta/1", "numbers"]),
    ],
)
def test_what_cannot_be_compared_is_one_line(files, capsys, change, words):
    np.savez(files / "theirs.npz", **{**read_arrays(files / "theirs.npz"), **change})  # pyright: ignore
    assert validate(files) == 2
    line = capsys.readouterr().err
    assert len(line.splitlines()) == 1 and all(word in line for word in words)


def test_a_trace_needs_its_presentation(capsys):
    assert main(["validate", "--trace", "theirs.npz"]) == 2
    assert "--in step.npz" in capsys.readouterr().err
