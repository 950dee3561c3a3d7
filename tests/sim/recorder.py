"""A stand-in for a CUDA graph on machines without one: a step is recorded once, and then repeated without its code.

It repeats torch's operations on the tensors that they had, and puts results where they were, as a graph does. So a step
that reads a number from the host, or leaves its result in another place every time, goes wrong here as it would there.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from sim.gpu.graph import warm_up


class Recorder(TorchDispatchMode):
    """Takes the place of `sim.gpu.graph.CudaGraph`."""

    def __init__(self, step: Callable[[], None], restore: Callable[[], None]) -> None:
        super().__init__()
        self.operations: list[tuple[Any, Any, Any, list[Tensor]]] = []
        warm_up(step, restore)  # as a graph's: what is made in the first step only is there now
        with self:
            step()
        restore()  # a recording itself changes nothing

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten._local_scalar_dense.default:
            raise RuntimeError("the host reads a number from the device: not while a graph is recorded")
        found = func(*args, **(kwargs or {}))
        fresh = [returned.alias_info is None for returned in func._schema.returns]
        if not fresh or fresh[0] or func._schema.is_mutable:
            self.operations.append((func, args, kwargs or {}, tree_leaves(found) if fresh and fresh[0] else []))
        return found

    def replay(self) -> None:
        for func, args, kwargs, places in self.operations:
            found = tree_leaves(func(*args, **kwargs))
            for place, new in zip(places, found, strict=bool(places)):
                if isinstance(place, Tensor):
                    place.copy_(new)
