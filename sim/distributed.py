"""One run on several processes, as torchrun starts them: each takes its share of every batch.

The increments, and the sums that batch normalisation takes, are those over all processes before they become weights. So
all hold the same weights throughout, and the run is that of one process with the same batches, up to the order in which
a batch is added up. Every process holds all images: which of them a batch has is drawn anew each epoch.
"""

import atexit
import os
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from network.errors import BadInput
from network.normalisation import EPSILON
from network.spec import NetworkSpec, Node
from network.trace import StepTrace
from network.weights import Weights
from sim import ranks
from sim.engine import Settings
from sim.torch_engine import Gate, TorchEngine
from sim.torch_norm import Normalisation, Normalised


class SharedTorchEngine(TorchEngine):
    """The torch engine as one of several processes. See `sim.engine.Engine` for the methods."""

    def __init__(self, spec: NetworkSpec, weights: Weights, settings: Settings) -> None:
        super().__init__(spec, weights, settings)
        self._batch = 0  # images of the batch that is being learned, over all processes
        self._share = slice(0, 0)  # those of them that are this one's
        self._normalisation = SharedNormalisation(weights, self._own, lambda: 0 if self._is_whole() else self._batch)

    @torch.no_grad()
    def learn(self, images: Tensor, labels: Tensor, step: int) -> Tensor:
        self._batch, self._share = len(images), share_of(len(images))
        wrong = super().learn(images[self._share], labels[self._share], step)
        return wrong if self._is_whole() else _summed(wrong)

    def present(self, images: np.ndarray, labels: np.ndarray) -> StepTrace:
        self._take_all(len(images))
        return super().present(images, labels)

    def saturation(self, images: Tensor) -> dict[str, float]:
        self._take_all(len(images))
        return super().saturation(images)

    def take_statistics(self, images: Tensor, *, first: bool) -> None:
        self._take_all(len(images))
        super().take_statistics(images, first=first)

    def _take_all(self, count: int) -> None:
        """What follows is done by each process with all images, by itself."""
        self._batch, self._share = count, slice(0, count)

    def _is_whole(self) -> bool:
        """Whether each process takes the whole batch: one with fewer images than there are processes."""
        return self._share == slice(0, self._batch)

    def _dropout(self, step: int, count: int) -> dict[str, np.ndarray]:
        """The share of the masks that one process would draw for the whole batch."""
        return {name: mask[self._share] for name, mask in super()._dropout(step, self._batch).items()}

    def _increments(self, i: int, delta: Tensor, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """The means over each process's images, weighted by their number and added up: the mean over the batch."""
        dW, dR = super()._increments(i, delta, x)
        if self._is_whole():
            return dW, dR
        weight = len(delta) / self._batch
        summed = _summed(dW * weight)
        if dR is None:
            return summed, None
        return summed, summed if dR is dW else _summed(dR * weight)

    def _change(self, gate: Gate, step: int, count: int) -> None:
        if gate.affine and not self._is_whole():
            weight = len(gate.delta) / self._batch
            gate = gate._replace(affine={name: _summed(value * weight) for name, value in gate.affine.items()})
        super()._change(gate, step, self._batch)

    @torch.no_grad()
    def outputs(self, images: Tensor) -> Tensor:
        share = share_of(len(images))
        if share == slice(0, len(images)):
            return super().outputs(images)
        found = torch.zeros((len(images), self.spec.classes), dtype=self.dtype, device=self.device)
        found[share] = super().outputs(images[share])
        return _summed(found)

    def weights(self) -> Weights:
        """The weights, once it is sure that all processes have the same."""
        weights = super().weights()
        own = torch.tensor([float(w.sum(dtype="float64")) for w in weights.W.values()], dtype=torch.float64)
        first = own.to(self.device)
        dist.broadcast(first, 0)
        if not torch.equal(first.cpu(), own):
            raise RuntimeError(f"process {ranks.own()} has other weights than process 0: the run is no longer one")
        return weights


class SharedNormalisation(Normalisation):
    """Batch normalisation by the statistics of all processes' images together, and its feedback.

    Parameters
    ----------
    weights, own
        As of `Normalisation`.
    images : callable
        How many images the batch has over all processes; 0 where this process has all of them.
    """

    def __init__(self, weights: Weights, own: Callable[[np.ndarray], Tensor], images: Callable[[], int]) -> None:
        super().__init__(weights, own)
        self._images = images

    def drive(self, node: Node, h: Tensor) -> tuple[Tensor, Normalised]:
        if not self._images():
            return super().drive(node, h)
        mean = self._mean(h)
        centred = h - mean
        inverse = (self._mean(centred.square()) + EPSILON).rsqrt()
        drive = centred * inverse
        if node.is_affine:
            gamma, beta = (group[node.index].reshape(mean.shape) for group in (self.gamma, self.beta))
            drive = drive * gamma + beta
        return drive, Normalised(h, mean.ravel(), inverse.ravel())

    def feedback(self, node: Node, delta: Tensor, normalised: Normalised) -> tuple[Tensor, dict[str, Tensor]]:
        if not self._images():
            return super().feedback(node, delta, normalised)
        h, mean, inverse = normalised
        feature = (1, -1, *[1] * (h.ndim - 2))
        mean, inverse = mean.reshape(feature), inverse.reshape(feature)
        z = (h - mean) * inverse
        moves, stretches = self._mean(delta), self._mean(delta * z)
        slope = inverse * self.gamma[node.index].reshape(feature) if node.is_affine else inverse
        others = [d for d in range(h.ndim) if d != 1]
        own = {"gamma": (delta * z).sum(others), "beta": delta.sum(others)} if node.is_affine else {}
        return slope * (delta - moves - z * stretches), own

    def _mean(self, values: Tensor) -> Tensor:
        """Over images, of all processes, and places: one a feature, shaped to meet `values`."""
        others = [d for d in range(values.ndim) if d != 1]
        total = _summed(values.sum(others, keepdim=True, dtype=torch.float64))
        places = values[0, 0].numel()
        return (total / (self._images() * places)).to(values.dtype)


def share_of(count: int) -> slice:
    """Which of `count` images are this process's: equal parts but for one image, or all where there are too few."""
    processes, own = ranks.count(), ranks.own()
    if count < processes:
        return slice(0, count)
    return slice(count * own // processes, count * (own + 1) // processes)


def open_shared(name: str, spec: NetworkSpec, weights: Weights, settings: Settings) -> TorchEngine:
    """This process's engine of a run that torchrun has started, joined with the others.

    Raises
    ------
    BadInput
        For an engine that runs in one process only.
    """
    if name != "torch":
        raise BadInput(f"torchrun: engine '{name}' runs in one process; --engine torch shares its batches out")
    device = settings.device
    if device in ("auto", "cuda") and torch.cuda.is_available():
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
    if not dist.is_initialized():
        if device.startswith("cuda"):
            torch.cuda.set_device(device)
        backend = "nccl" if device.startswith("cuda") else "gloo"
        # A restart finds torchrun's store as it was, with the addresses of the processes that are gone: each start
        # has names of its own in it.
        store, own, processes = next(rendezvous("env://"))
        start = f"start{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}"
        dist.init_process_group(backend, store=PrefixStore(start, store), rank=own, world_size=processes)
        atexit.register(dist.destroy_process_group)
    return SharedTorchEngine(spec, weights, replace(settings, device=device))


def _summed(tensor: Tensor) -> Tensor:
    """The sum over all processes, the same bits on each."""
    tensor = tensor.contiguous()
    dist.all_reduce(tensor)
    return tensor
