"""Which form of the torch engine runs: the plain one, or compiled kernels where they can be had."""

from network.errors import BadInput
from network.spec import NetworkSpec
from network.weights import Weights
from sim.engine import Settings
from sim.torch_device import device_of
from sim.torch_engine import TorchEngine
from sim.torch_memory import keep_freed_memory


def open_torch(spec: NetworkSpec, weights: Weights, settings: Settings) -> TorchEngine:
    """The torch engine, in the form that `settings.kernels` asks for.

    Raises
    ------
    BadInput
        For a device that is not there, or fast kernels where something is in their way.
    """
    device = device_of(settings.device)
    if device != "cpu":
        return (
            TorchEngine(spec, weights, settings) if settings.kernels == "plain" else _replayed(spec, weights, settings)
        )
    keep_freed_memory()
    obstacle = _obstacle(spec, settings)
    if obstacle and settings.kernels == "fast":
        raise BadInput(f"kernels 'fast': {obstacle}; 'auto' takes the plain form then")
    if obstacle or settings.kernels == "plain":
        return TorchEngine(spec, weights, settings)
    from sim.torch_fast import FastTorchEngine  # here, because only this form needs Numba

    return FastTorchEngine(spec, weights, settings)


def _replayed(spec: NetworkSpec, weights: Weights, settings: Settings) -> TorchEngine:
    """The form for a GPU: updates that are replayed, with kernels of their own where they know all there is to do."""
    try:
        from sim.gpu.fused_engine import FusedTorchEngine, why_not

        obstacle = why_not(spec, settings)
    except ModuleNotFoundError as error:
        if error.name != "triton":
            raise
        obstacle = "they need the package 'triton', which is not installed: pip install triton"
    else:
        if not obstacle:
            return FusedTorchEngine(spec, weights, settings)
        obstacle = f"they do not know {obstacle}"
    if settings.kernels == "fast":
        raise BadInput(f"kernels 'fast': {obstacle}; 'auto' replays torch's own operations then")
    from sim.gpu.engine import GraphTorchEngine

    return GraphTorchEngine(spec, weights, settings)


def _obstacle(spec: NetworkSpec, settings: Settings) -> str:
    """What is in the way of fast kernels on the CPU; empty where nothing is."""
    try:
        from sim.fast.plan import why_not
    except ModuleNotFoundError as error:
        return f"they need the package '{error.name}', which is not installed: pip install 'hebb[fast]'"
    found = why_not(spec, settings)
    return f"they do not know {found}" if found else ""
