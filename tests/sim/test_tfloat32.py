"""tfloat32: refused where no device has it; which products it is for; and what it does, rounded by hand on the CPU."""

import numpy as np
import pytest
import torch

from network.errors import BadInput
from sim import torch_ops
from sim.cli import main
from sim.config import make_config
from sim.torch_device import multiply_in
from sim.torch_engine import TorchEngine
from tests.sim.conftest import engine_of, presentation
from validation.tolerances import TOLERANCES

NET = "Conv 6 3x3; Maxpool 3; Full 20; Output"
PRODUCTS = ("input_of_units", "feedback_to_source", "hebbian")
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")


@pytest.fixture(autouse=True)
def the_process_as_it_was():
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    yield
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


def cut_off(tensor: torch.Tensor) -> torch.Tensor:
    """With 11 significant bits, one of them implicit: what a GPU reads of a number of float32."""
    return (tensor.contiguous().view(torch.int32) & ~0x1FFF).view(torch.float32)


def rounded(monkeypatch, but):
    """Have all products but those of layer `but` made of factors that are cut off."""

    def cutting(real):
        def product(layer, a, b, *rest):
            return real(layer, a, b, *rest) if layer is but else real(layer, cut_off(a), cut_off(b), *rest)

        return product

    for name in PRODUCTS:
        monkeypatch.setattr(torch_ops, name, cutting(getattr(torch_ops, name)))


def largest_difference(ours, theirs):
    return max(
        float(np.abs(a - b).max() / np.abs(b).max())
        for group in ("h", "delta", "dW", "dR")
        for a, b in zip(getattr(ours, group).values(), getattr(theirs, group).values(), strict=True)
    )


def test_a_step_with_rounded_factors_stays_within_the_tolerance(monkeypatch):
    # Rounding decides nothing here: no pooling, and a gain at which no unit comes near a threshold.
    net = "Conv 8 3x3; Conv 8 3x3; Conv 8 3x3; Conv 8 3x3; SUM; Full 50; Full 50; Full 50; Full 50; Output"
    spec, weights, images, labels = presentation(net, "urfb", shape=(3, 10, 10), images=4, gain=0.2, scale=4.0)
    engine = engine_of("torch", spec, weights, "urfb", dtype="float32", kernels="plain")
    exact = engine.present(images.astype("float32"), labels)
    rounded(monkeypatch, but=spec.weighted[-1].synaptic)
    apart = largest_difference(engine.present(images.astype("float32"), labels), exact)
    assert 3 * TOLERANCES["float32"].relative < apart <= TOLERANCES["tfloat32"].relative


@pytest.mark.parametrize("rule", ["urfb", "dfa"])
def test_all_products_but_those_of_the_output_are_for_tfloat32(rule, monkeypatch):
    spec, weights, images, labels = presentation(NET, rule, shape=(3, 8, 8))
    made = []

    def noting(name, real):
        def product(layer, *rest):
            made.append((name, str(layer), torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32))
            return real(layer, *rest)

        return product

    for name in PRODUCTS:
        monkeypatch.setattr(torch_ops, name, noting(name, getattr(torch_ops, name)))

    def learn(compute_dtype):
        made.clear()
        monkeypatch.setattr("sim.torch_device.device_of", lambda name: "cpu")
        engine = engine_of("torch", spec, weights, rule, dtype="float32", kernels="plain")
        assert isinstance(engine, TorchEngine)
        engine.device = "cuda:0"  # as if: what the process is told does not need one
        object.__setattr__(engine.settings, "compute_dtype", compute_dtype)
        engine.learn(torch.from_numpy(images).float(), torch.from_numpy(labels), 0)
        assert {name for name, *_ in made} == set(PRODUCTS)
        return {(name, layer): flags for name, layer, *flags in made}

    assert all(not any(flags) for flags in learn(None).values())
    for (_, layer), flags in learn("tfloat32").items():
        assert flags == [layer != "Output"] * 2
    assert all(not any(flags) for flags in learn(None).values())  # a second engine of the process


def test_a_cpu_leaves_what_the_process_is_told_alone():
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    multiply_in("cpu", "tfloat32")
    assert (torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32) == before


def test_what_has_no_tfloat32_says_so_in_a_line(tmp_path, capsys, monkeypatch):
    flags = ["train", "--net", NET, "--compute-dtype", "tfloat32", "--out", str(tmp_path / "run"), "--quiet"]
    assert main([*flags, "--device", "cpu"]) == 2
    error = capsys.readouterr().err
    assert "'tfloat32': the device is 'cpu', and only NVIDIA's GPUs have it" in error and len(error.splitlines()) == 1
    assert not (tmp_path / "run").exists()
    assert main([*flags, "--engine", "reference"]) == 2
    assert "computes in one precision" in capsys.readouterr().err
    assert main([*flags, "--dtype", "float64"]) == 2
    assert "weights are float32 then" in capsys.readouterr().err


def test_a_gpu_that_is_too_old_says_so(monkeypatch):
    from sim.torch_device import compute_dtype_of

    spec, weights, *_ = presentation(NET, "urfb", shape=(3, 8, 8))
    settings = engine_of("torch", spec, weights, "urfb", kernels="plain", dtype="float32").settings
    object.__setattr__(settings, "compute_dtype", "tfloat32")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 0))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Tesla V100")
    with pytest.raises(BadInput, match="Tesla V100 is too old for it"):
        compute_dtype_of(settings, "cuda")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    assert compute_dtype_of(settings, "cuda") == torch.float32


def test_runs_in_tfloat32_have_names_of_their_own():
    assert make_config({"compute_dtype": "tfloat32"}).variations == ["tfloat32"]


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("kernels", ["plain", "auto"])
def test_on_a_gpu_a_step_in_tfloat32_is_near_one_in_float32(kernels):
    net = "Conv 8 3x3; Conv 8 3x3; SUM; Full 64; Full 64; Output"
    spec, weights, images, labels = presentation(net, "urfb", shape=(3, 16, 16), images=16, gain=0.2, scale=4.0)
    options = {"dtype": "float32", "device": "cuda", "kernels": kernels}
    found = []
    for compute_dtype in (None, "tfloat32", None):
        engine = engine_of("torch", spec, weights, "urfb", compute_dtype=compute_dtype, **options)
        found.append(engine.present(images.astype("float32"), labels))
    assert largest_difference(found[2], found[0]) <= TOLERANCES["float32"].relative
    apart = largest_difference(found[1], found[0])
    assert TOLERANCES["float32"].relative < apart <= TOLERANCES["tfloat32"].relative
