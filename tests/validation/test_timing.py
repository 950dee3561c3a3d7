"""``hebb timing``: what it writes, and that interrupted or repeated commands lose and repeat nothing."""

import json

import pytest

from sim.cli import main
from validation import timing

FLAGS = ["timing", "order", "late", "--net", "Full 6; Output", "--epochs", "1", "--quick", "--quiet"]


def rows(out):
    return [json.loads(line) for line in (out / "rows.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    out = tmp_path_factory.mktemp("timing") / "out"
    assert main([*FLAGS, "--out", str(out), "--json", str(out) + ".json"]) == 0
    return out


def test_rows_figures_and_report(done):
    found = rows(done)
    assert {row["study"] for row in found} == {"order", "late"}
    assert json.loads((done.parent / "out.json").read_text())["rows"] == found
    report = (done / "report.html").read_text()
    for name in ("order", "late"):
        assert (done / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert "in random order" in report and "Feedback is late" in report
    assert f"{100 * found[-1]['test_error']:.1f} %" in report


def test_the_same_command_again_measures_nothing(done, monkeypatch, capsys):
    before = (done / "rows.jsonl").read_bytes()
    monkeypatch.setattr(timing, "measure", None)
    assert main([*FLAGS, "--out", str(done)]) == 0
    assert (done / "rows.jsonl").read_bytes() == before
    assert "order: test error" in capsys.readouterr().out


def test_another_network_needs_another_folder(done, capsys):
    assert main([*FLAGS, "--rule", "bph", "--out", str(done)]) == 2
    assert "name another folder" in capsys.readouterr().err


def test_what_was_measured_before_an_interruption_is_kept(tmp_path, monkeypatch, capsys):
    real, measured = timing.measure, []

    def measure(bench, study, setting):
        if len(measured) == 2:
            raise KeyboardInterrupt
        measured.append(real(bench, study, setting))
        return measured[-1]

    monkeypatch.setattr(timing, "measure", measure)
    assert main([*FLAGS, "--out", str(tmp_path / "out")]) == 130
    assert "2 settings are kept" in capsys.readouterr().err
    assert rows(tmp_path / "out") == measured
    assert (tmp_path / "out" / "report.html").exists()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["odrer"], ["study 'odrer'", "did you mean 'order'"]),
        (["--seeds", "0"], ["--seeds 0", "at least 1"]),
        (["--rule", "bp"], ["'bp'", "no circuit"]),
        (["--seeds", "99999999999"], ["--seeds 99999999999", "10000 seeds"]),
        (["--net", "Fall 3; Output"], ["Fall 3"]),
    ],
)
def test_mistakes_are_one_line(tmp_path, capsys, flags, words):
    assert main(["timing", *flags, "--quiet", "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1 and all(word in error for word in words)
    assert not (tmp_path / "out").exists()
