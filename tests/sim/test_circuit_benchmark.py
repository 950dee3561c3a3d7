"""``hebb bench circuit`` runs, both queues do the same, and it says what it cannot measure."""

import json

import pytest

from benchmarks import circuit
from sim.cli import main

NET = "Conv 16 3x3; Maxpool 3; Drop .8; Full 16; Output"


def test_the_queue_and_a_network_are_measured(tmp_path, capsys):
    out = tmp_path / "figures.json"
    flags = ["--only", "queue", "network", "--nets", NET, "--batch-size", "4", "--events", "3000", "--rounds", "1"]
    assert main(["bench", "circuit", *flags, "--json", str(out)]) == 0
    figures = json.loads(out.read_text())
    assert figures["network"][NET]["event_over_torch"] > 0
    # The schedules of three networks, at least two events a layer; comparing checks order, times and violations.
    assert {"bulk, 3000 events", "signals, 1000 under way", "schedule, deepernet"} <= set(figures["queue"])
    assert all(found["times_faster"] > 0 for found in figures["queue"].values())
    assert "schedule, deepernet" in capsys.readouterr().out


def test_what_needs_a_missing_package_is_passed_over(monkeypatch, capsys):
    monkeypatch.setattr(circuit, "find_spec", lambda package: None if package == "brian2" else object())
    monkeypatch.setitem(circuit.MEASURED, "queue", lambda options: {})
    monkeypatch.setattr(circuit, "_module", lambda name: type("Queue", (), {"text": staticmethod(str)}))
    assert main(["bench", "circuit", "--only", "units", "step", "queue"]) == 0
    assert "units passed over: needs brian2" in capsys.readouterr().out


@pytest.mark.parametrize(("flags", "what"), [(["--rounds", "0"], "1 or more"), (["--nets", "Conv"], "Conv")])
def test_what_cannot_be_measured_is_said_in_a_line(flags, what, capsys):
    assert main(["bench", "circuit", *flags]) == 2
    error = capsys.readouterr().err
    assert what in error and len(error.splitlines()) == 1
