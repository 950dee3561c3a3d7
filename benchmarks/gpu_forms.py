"""This package's torch engine on a GPU, in every form that ``hebb bench gpu`` compares."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from network.errors import BadInput
from network.spec import NetworkSpec

Learn = Callable[[int], None]  # makes so many updates


@dataclass(frozen=True)
class Form:
    """How updates are made.

    Attributes
    ----------
    triton : bool
        With kernels of Triton between the products.
    graph : bool
        Replayed as a CUDA graph, else operation by operation.
    masks_from_host : bool
        The plain form, batch by batch, which draws dropout masks on the host as on a CPU.
    compute_dtype : str or None
    seeds : int
        Networks that learn at the same time, with their updates in one graph.
    """

    triton: bool = False
    graph: bool = True
    masks_from_host: bool = False
    compute_dtype: str | None = None
    seeds: int = 1


# The first that is there is what all others are compared with.
OURS = {
    "Triton": Form(triton=True),
    "graph": Form(),
    "eager": Form(graph=False),
    "plain": Form(graph=False, masks_from_host=True),
    "Triton, tfloat32": Form(triton=True, compute_dtype="tfloat32"),
    "Triton, bfloat16": Form(triton=True, compute_dtype="bfloat16"),
    "graph, tfloat32": Form(compute_dtype="tfloat32"),
    "graph, bfloat16": Form(compute_dtype="bfloat16"),
    "Triton, bfloat16, 4 seeds at once": Form(triton=True, compute_dtype="bfloat16", seeds=4),
}


@dataclass(frozen=True)
class Images:
    """What is learned, on the device: random pixels, which cost what those of photographs cost."""

    images: Any
    labels: Any
    order: Any

    @classmethod
    def random(cls, count: int, shape: tuple[int, int, int], classes: int, device: str) -> "Images":
        import torch

        generator = torch.Generator().manual_seed(0)
        images = torch.randint(0, 256, (count, *shape), dtype=torch.uint8, generator=generator)
        labels = torch.randint(0, classes, (count,), generator=generator)
        order = torch.randperm(count, generator=generator)
        return cls(*(each.to(device) for each in (images, labels, order)))


def recording() -> Any:
    """What records an update."""
    from sim.gpu.graph import CudaGraph

    return CudaGraph


def engines(spec: NetworkSpec, form: Form, device: str) -> list[Any]:
    """One engine for each seed of a form.

    Raises
    ------
    BadInput
        Where a form cannot run here.
    """
    from network.rules import make_rule
    from network.weights import Weights
    from sim.engine import Settings
    from sim.gpu.engine import GraphTorchEngine
    from sim.torch_engine import TorchEngine

    rule, made = make_rule("urfb"), []
    for seed in range(form.seeds):
        settings = Settings(rule, device=device, seed=seed, compute_dtype=form.compute_dtype)
        weights = Weights.draw(spec, seed, rule, dtype="float32")
        if form.masks_from_host:
            made.append(TorchEngine(spec, weights, settings))
            continue
        kind: Any = _fused(spec, settings) if form.triton else GraphTorchEngine
        made.append(kind(spec, weights, settings, recording() if form.graph else None))
    return made


def _fused(spec: NetworkSpec, settings: Any) -> Any:
    try:
        from sim.gpu.fused_engine import FusedTorchEngine, why_not
    except ModuleNotFoundError as error:
        if error.name != "triton":
            raise
        raise BadInput("needs the package 'triton', which is not installed: pip install triton") from None
    obstacle = why_not(spec, settings)
    if obstacle:
        raise BadInput(f"its kernels do not know {obstacle}")
    return FusedTorchEngine


def learner(group: list[Any], data: Images, size: int) -> Learn:
    """What makes updates with all of a form's engines, each the next ones of its own run."""
    from sim.gpu.together import Together

    done = 0
    replayed = hasattr(group[0], "prepare")
    together = Together(group) if len(group) > 1 and replayed else None

    def learn(updates: int) -> None:
        nonlocal done
        order = data.order[: updates * size]
        if together:
            together.do([engine.prepare(data.images, data.labels, order, size, done) for engine in group])
        for engine in group if not together else ():
            if replayed:
                engine.learn_epoch(data.images, data.labels, order, size, done)
                continue
            for update in range(updates):
                batch = order[update * size : (update + 1) * size]
                engine.learn(data.images[batch], data.labels[batch], done + update)
        done += updates

    learn(1)  # so that a form that cannot run says so here
    whys = [getattr(each, "why_no_graph", "") for each in (*group, together)]
    why = next((why for why in whys if why), "")
    if why and why != "none was asked for":
        raise BadInput(f"cannot be replayed: {why}")
    return learn
