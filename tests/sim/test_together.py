"""Several runs trained at once: each is, bit for bit, the one that it would be alone."""

import contextlib
import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from network.errors import Diverged
from network.rules import make_rule
from network.spec import NetworkSpec
from network.weights import Weights
from sim import train as training
from sim.cli import main
from sim.config import make_config
from sim.gpu.engine import GraphTorchEngine
from sim.gpu.graph import CudaGraph
from sim.gpu.together import Together
from sim.run_folder import RunFolder
from sim.train import Interrupted, resume, start, start_seeds
from tests.sim.recorder import Recorder
from tests.sim.steps import refused
from tests.sim.test_gpu_engine import IMAGES, NET, SHAPE, SIZE, arrays, by_epochs, data, needs_gpu, orders, settings_of
from tests.sim.test_saving import interrupt_in, timeless
from tests.sim.test_train import QUICK, same_weights

SEEDS = (0, 1, 2)
FLAGS = ["--net", "Conv 4 3x3; Maxpool 3; Drop .3; Output", "--batch-size", "300", "--epochs", "2", "--device", "cpu"]


def engine_from(seed, rule="urfb", recording: Any = Recorder, **options):
    settings = settings_of(rule, **{"seed": seed, **options})
    weights = Weights.draw(NetworkSpec.parse(NET, SHAPE, 10), seed, make_rule(rule), dtype=settings.dtype)
    return GraphTorchEngine(NetworkSpec.parse(NET, SHAPE, 10), weights, settings, recording)


def all_at_once(engines, epochs, sizes=(SIZE,) * 3):
    """As `by_epochs` for each engine; and what they were done by."""
    staged = [[engine.stage(part) for part in data()] for engine in engines]
    together, wrong = Together(engines), [[] for _ in engines]
    for epoch, order in enumerate(orders(epochs)):
        works = [
            engine.prepare(*parts, engine.stage(order), size, epoch * -(-IMAGES // size))
            for engine, parts, size in zip(engines, staged, sizes, strict=True)
        ]
        together.do(works)
        for found, work in zip(wrong, works, strict=True):
            found.append(int(work.wrong))
    return wrong, together


def assert_same(engines, others):
    for ours, theirs in zip(map(arrays, engines), map(arrays, others), strict=True):
        assert ours.keys() == theirs.keys()
        assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize(
    "different", [{}, {"eta": (0.1, 0.05, 0.2)}, {"rule": ("urfb", "bp", "frfb")}], ids=["seeds", "eta", "rule"]
)
def test_updates_at_once_are_those_of_each_engine_alone(different):
    def engines():
        return [engine_from(k, **{name: values[k] for name, values in different.items()}) for k in SEEDS]

    alone, ours = engines(), engines()
    wrong, together = all_at_once(ours, 4)  # 20 updates, every fifth with fewer images
    assert wrong == [by_epochs(engine, 4) for engine in alone]
    assert_same(ours, alone)
    assert len(together._graphs.made) == 2 and not together.why_no_graph
    assert not any(engine.graphs.made for engine in ours)
    assert len({arrays(engine)["W/1"].tobytes() for engine in ours}) == 3


def test_an_engine_that_cannot_be_replayed_takes_its_turn_and_one_with_fewer_updates_ends_early():
    def engines():
        return [engine_from(0), engine_from(1, "brsf"), engine_from(2)]

    alone, ours = engines(), engines()
    _, together = all_at_once(ours, 2, (SIZE, SIZE, IMAGES))  # five updates an epoch, five, and one
    for engine in alone[:2]:
        by_epochs(engine, 2)
    images, labels = (alone[2].stage(part) for part in data())
    for epoch, order in enumerate(orders(2)):
        alone[2].learn_epoch(images, labels, alone[2].stage(order), IMAGES, epoch)
    assert_same(ours, alone)
    assert len(together._graphs.made) == 1 and len(ours[0].graphs.made) == 2 and "host" in ours[1].why_no_graph


def test_engines_that_cannot_be_recorded_in_one_graph_have_their_own():
    first = []

    def refuses_the_first(step, restore):
        if not first:
            first.append(step())
            raise RuntimeError("operation not permitted when stream is capturing")
        return Recorder(step, restore)

    ours, alone = ([engine_from(k, recording=how) for k in SEEDS] for how in (refuses_the_first, Recorder))
    with pytest.warns(RuntimeWarning, match="no CUDA graph"):
        wrong, together = all_at_once(ours, 1)
    assert wrong == [by_epochs(engine, 1) for engine in alone]
    assert_same(ours, alone)
    assert "capturing" in together.why_no_graph and all(len(engine.graphs.made) == 2 for engine in ours)


def test_graphs_are_made_anew_when_what_they_read_has_moved():
    ours, alone = ([engine_from(k) for k in SEEDS] for _ in range(2))
    images, labels = (ours[0].stage(part) for part in data())
    together = Together(ours)
    for step, length in ((0, 2 * SIZE), (2, 4 * SIZE)):
        order = ours[0].stage(orders(1)[0][:length])
        together.do([engine.prepare(images, labels, order, SIZE, step) for engine in ours])
        for engine in alone:
            engine.learn_epoch(images, labels, order, SIZE, step)
    assert_same(ours, alone)
    assert len(together._graphs.made) == 1


def test_all_branches_fork_before_any_joins(monkeypatch):
    events = []

    class Stream:
        def __init__(self, name):
            self.name = name

        def wait_stream(self, other):
            events.append((self.name, "waits for", other.name))

    @contextlib.contextmanager
    def used(stream):
        events.append(stream.name)
        yield

    ours = [engine_from(k) for k in SEEDS[:2]]
    for k, engine in enumerate(ours):
        monkeypatch.setattr(engine, "step", lambda part, k=k: events.append(f"step {k}"))
        monkeypatch.setattr(engine, "device", "cuda")
    names = iter("ab")
    cuda = SimpleNamespace(
        Stream=lambda device: Stream(next(names)), current_stream=lambda: Stream("trunk"), stream=used
    )
    monkeypatch.setattr(torch, "cuda", cuda)
    part: Any = None
    Together(ours)._branch([(engine, part) for engine in ours])
    forks, joins = ([(x, "waits for", "trunk") for x in "ab"], [("trunk", "waits for", x) for x in "ab"])
    assert events == [*forks, "a", "step 0", "b", "step 1", *joins]


@pytest.mark.gpu
@needs_gpu
def test_on_a_gpu_updates_at_once_are_those_of_each_engine_alone():
    ours, alone = ([engine_from(k, device="cuda", recording=CudaGraph) for k in SEEDS] for _ in range(2))
    wrong, together = all_at_once(ours, 4)
    assert wrong == [by_epochs(engine, 4) for engine in alone] and not together.why_no_graph
    assert_same(ours, alone)


@pytest.mark.parametrize("graphs", [False, True], ids=["in turn", "one graph"])
def test_runs_of_several_seeds_are_those_of_each_alone(graphs, tmp_path, monkeypatch, capsys):
    given, do = [], Together.do
    monkeypatch.setattr(Together, "do", lambda self, works: (given.append(len(works)), do(self, works)))
    if graphs:  # as on a GPU

        def opened(name, spec, weights, settings):
            return GraphTorchEngine(spec, weights, settings, Recorder)

        monkeypatch.setattr(training, "open_engine", opened)
    assert main(["train", *FLAGS, "--quiet", "--seeds", "2", "0", "--out", str(tmp_path / "seeds"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    folders = [tmp_path / "seeds" / f"net2-urfb-digits-seed{seed}" for seed in (2, 0)]
    assert [row["folder"] for row in found] == [str(folder) for folder in folders]
    assert [row["epochs"] for row in found] == [2, 2]
    for seed, folder in zip((2, 0), folders, strict=True):
        alone = tmp_path / f"alone{seed}"
        assert main(["train", *FLAGS, "--quiet", "--seed", str(seed), "--out", str(alone)]) == 0
        assert same_weights(folder, alone) and timeless(folder) == timeless(alone)
        assert {path.name for path in folder.iterdir()} == {path.name for path in alone.iterdir()}
        assert (folder / "config.toml").read_text() == (alone / "config.toml").read_text()
    assert given == ([2, 2] if graphs else [])


def test_ctrl_c_keeps_what_each_run_has_finished_and_says_how_to_go_on(tmp_path, monkeypatch):
    config = make_config(QUICK | {"epochs": 3})
    with monkeypatch.context() as patch:
        interrupt_in(4, patch)  # when the second run has learned its second epoch, and the first its third
        with pytest.raises(Interrupted) as stopped:
            start_seeds(config, [0, 1], tmp_path, progress=False)
    folders = sorted(tmp_path.iterdir())
    for folder, epochs in zip(folders, (2, 1), strict=True):
        assert f"{epochs} of 3 epochs are kept; go on with: hebb train --resume {folder}" in str(stopped.value)
        assert (folder / "errors.svg").exists()
    resume(folders[1], {}, progress=False)
    start(make_config(QUICK | {"epochs": 3, "seed": 1}), tmp_path / "alone", progress=False)
    assert same_weights(folders[1], tmp_path / "alone") and timeless(folders[1]) == timeless(tmp_path / "alone")


def test_a_run_that_diverges_does_not_stop_the_others(tmp_path, monkeypatch):
    interrupt_in(1, monkeypatch, Diverged("full1: every unit is saturated"))
    with pytest.raises(Diverged, match="seed0: full1: every unit is saturated"):
        start_seeds(make_config(QUICK), [0, 1], tmp_path, progress=False)
    assert [len(RunFolder(folder).read_epoch()[0]) for folder in sorted(tmp_path.iterdir())] == [0, 2]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--seeds", "0", "1", "--seed", "3"], ["--seeds 0 1", "leave --seed 3 away"]),
        (["--seeds", "0", "1", "0"], ["0 comes twice"]),
        (["--seeds", "0", "one"], ["--seeds 'one'", "integer"]),
        (["--seeds", "0", "-1"], ["--seeds '-1'"]),
        (["--seeds", "0", "--resume", "run"], ["one run at a time"]),
        (["--seeds"], ["--seeds", "expected at least one argument"]),
        (["--seeds", "0", "--out", "run"], ["--out run", "holds a run"]),
    ],
)
def test_mistakes_are_a_line(flags, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    (tmp_path / "run/config.toml").write_text("")
    refused(capsys, main(["train", *flags]), *words)


def test_processes_of_torchrun_share_one_run_only(monkeypatch, capsys):
    monkeypatch.setenv("WORLD_SIZE", "2")
    refused(capsys, main(["train", "--seeds", "0", "1"]), "torchrun", "--seed")
