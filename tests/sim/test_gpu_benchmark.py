"""``hebb bench gpu`` on the CPU, by a stand-in for CUDA graphs: that it measures what it says; and what it refuses."""

import json
import time
from argparse import Namespace

import pytest
import torch

from benchmarks import gpu, gpu_forms, gpu_peers
from benchmarks.limits import Sizes, work_of
from benchmarks.peers import PEERS
from network.spec import NetworkSpec
from sim.cli import main
from tests.sim.recorder import Recorder

NET = "Conv 4 3x3; Maxpool 3; Drop .8; Output"
needs_none = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(gpu_forms, "recording", lambda: Recorder)
    monkeypatch.setitem(gpu.YARDSTICKS, "cpu", Sizes(64, 1 << 16))
    monkeypatch.setattr(gpu, "EPOCHS", 1)
    torch.set_num_threads(1)


def test_the_benchmark_measures_forms_and_peers(small, tmp_path, capsys):
    out = tmp_path / "figures.json"
    flags = ["--nets", NET, "--batch-size", "8", "--updates", "2", "--rounds", "1", "--device", "cpu"]
    flags += ["--forms", "graph", "eager", "plain", "graph, tfloat32", "graph, bfloat16"]
    flags += ["--peers", "autograd", "autograd channels_last, bfloat16 autocast", "BioTorch fa"]
    assert main(["bench", "gpu", *flags, "--json", str(out), "--figure", str(tmp_path / "roofline.png")]) == 0
    shown, notes = capsys.readouterr()
    found = json.loads(out.read_text())["nets"][NET]
    variants, skipped = found["variants"], found["skipped"]
    assert found["baseline"] == "graph"
    assert {"graph", "eager", "plain", "graph, bfloat16", "autograd"} <= set(variants)
    assert "only NVIDIA's GPUs" in skipped["graph, tfloat32"]
    assert ("BioTorch fa" in variants) != ("BioTorch fa" in skipped)
    assert variants["graph"]["over_baseline"]["median"] == 1
    for name, one in variants.items():
        assert one["milliseconds"] > 0 and one["precision"] == gpu.precision_of(name)
        assert ("epoch_milliseconds" in one) == (name in gpu_forms.OURS)
    assert "1000 epochs of 2 updates" in shown and "ready: graph" in notes
    assert (tmp_path / "roofline.png").stat().st_size > 10_000


def test_shares_and_ratios_are_those_worked_out_by_hand():
    spec = NetworkSpec.parse(NET, (3, 32, 32), 10)
    work, sizes = work_of(spec, 8, "tfloat32"), Sizes(10, 100)
    options = Namespace(device="hand", batch_size=8)
    seconds = {"graph": [2.0, 4.0], "graph, tfloat32": [1.0, 1.0], "copy": [0.5, 0.25]}
    seconds |= {"product float32": [1.0, 1.0], "product tfloat32": [0.5, 0.5]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(gpu.YARDSTICKS, "hand", sizes)
        found = gpu.summary(spec, options, seconds, ["float32", "tfloat32"])
    fast = found["variants"]["graph, tfloat32"]
    assert fast["milliseconds"] == 1000 and fast["images_per_second"] == 8
    assert fast["over_baseline"] == {"median": 0.375, "least": 0.25, "most": 0.5}
    assert fast["share_of_products"]["median"] == pytest.approx(work.operations / (2 * 10**3 / 0.5))
    assert fast["share_of_bytes"]["least"] == pytest.approx(work.bytes / (200 / 0.25))
    assert found["speeds"] == {"product float32": 2000, "product tfloat32": 4000, "copy": 600}


def test_several_seeds_are_counted_as_several_updates(small, monkeypatch):
    data = gpu_forms.Images.random(16, (3, 8, 8), 10, "cpu")
    spec = NetworkSpec.parse("Full 5; Output", (3, 8, 8), 10)
    group = gpu_forms.engines(spec, gpu_forms.Form(graph=False, seeds=3), "cpu")
    assert len({float(engine.weights().W[1][0, 0]) for engine in group}) == 3
    before = [engine.weights().W[1].copy() for engine in group]
    gpu_forms.learner(group, data, 8)(2)
    assert all((engine.weights().W[1] != old).any() for engine, old in zip(group, before, strict=True))
    monkeypatch.setattr(gpu, "timed", lambda work, device: 0.8)
    seconds = gpu.measured_in_turn(
        {"Triton, bfloat16, 4 seeds at once": print, "graph": print}, {},
        Namespace(rounds=2, updates=2, device="cpu"),
    )  # fmt: skip
    assert seconds == {"Triton, bfloat16, 4 seeds at once": [0.1, 0.1], "graph": [0.4, 0.4]}


def test_what_cannot_be_recorded_is_not_measured_as_if_it_were(small, monkeypatch):
    def refuses(step, restore):
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(gpu_forms, "recording", lambda: refuses)
    spec = NetworkSpec.parse("Full 5; Output", (3, 8, 8), 10)
    data = gpu_forms.Images.random(16, (3, 8, 8), 10, "cpu")
    options = Namespace(forms=["graph", "eager"], device="cpu", batch_size=8)
    with pytest.warns(RuntimeWarning):
        variants, groups, skipped = gpu.ours(spec, data, options)
    assert list(variants) == list(groups) == ["eager"]
    assert skipped["graph"] == "cannot be replayed: operation not permitted when stream is capturing"


def test_a_peer_that_compiles_for_too_long_is_skipped(monkeypatch):
    def compiler(function, mode):
        time.sleep(30)

    monkeypatch.setattr(torch, "compile", compiler)
    spec = NetworkSpec.parse(NET, (3, 8, 8), 10)
    data = gpu_forms.Images.random(8, (3, 8, 8), 10, "cpu")
    name = "torch.compile max-autotune"
    began = time.monotonic()
    variants, skipped = gpu_peers.theirs(spec, data, {name: gpu_peers.COMPILED[name], "a": PEERS["autograd"]}, 8, 1)
    assert time.monotonic() - began < 20
    assert list(variants) == ["a"] and "not done after 1 s" in skipped[name]


@needs_none
@pytest.mark.parametrize(
    ("flags", "what"),
    [
        ([], "sees no CUDA device here; hebb bench cpu measures the processor"),
        (["--quick", "--nets", "Local 4 3x3; Output"], "has no counterpart"),
        (["--updates", "0"], "expected 1 or more"),
        (["--forms", "Tritn"], "did you mean 'Triton'"),
    ],
)
def test_what_cannot_be_measured_is_said_in_a_line(flags, what, capsys):
    assert main(["bench", "gpu", *flags]) == 2
    error = capsys.readouterr().err
    assert what in error and len(error.splitlines()) == 1


def test_quick_compiles_little():
    assert gpu_peers.compiled_of("deepernet", quick=True) == []
    assert 0 < len(gpu_peers.compiled_of("simpnet", quick=True)) < len(gpu_peers.compiled_of("simpnet", quick=False))
    assert all(name in gpu_peers.COMPILED for name in gpu_peers.compiled_of("simpnet", quick=True))
