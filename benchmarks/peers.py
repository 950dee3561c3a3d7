"""Training steps as one writes them in PyTorch, with backward() and SGD, at every set-up that may be the best."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from network.layers import Conv, Drop, Maxpool, Sum
from network.spec import NetworkSpec


@dataclass(frozen=True)
class Peer:
    """How PyTorch is set up.

    Attributes
    ----------
    channels_last, bfloat16, tfloat32 : bool
        Layout of images and kernels; autocast; products of a GPU in tfloat32.
    mode : str or None
        Of torch.compile, which gets the loss; None for none.
    feedback : bool
        BioTorch's ``fa`` layers: their feedback has fixed weights of its own.
    """

    channels_last: bool = False
    bfloat16: bool = False
    tfloat32: bool = False
    mode: str | None = None
    feedback: bool = False


PEERS = {
    "autograd": Peer(),
    "autograd channels_last": Peer(channels_last=True),
    "autograd channels_last, bfloat16 autocast": Peer(channels_last=True, bfloat16=True),
    "torch.compile": Peer(mode="default"),
    "torch.compile channels_last": Peer(channels_last=True, mode="default"),
    "BioTorch fa": Peer(feedback=True),
    "BioTorch fa channels_last": Peer(channels_last=True, feedback=True),
}


def not_for(spec: NetworkSpec) -> str:
    """Why the peers cannot run a network; empty where they can. They are written for the paper's own layers,
    except that their pooling pads with -inf, as PyTorch does, and not with zeros.
    """
    for layer in spec.layers:
        if layer.keyword not in ("Conv", "Maxpool", "Drop", "SUM", "Full", "Output"):
            return f"'{layer}' has no counterpart among the peers"
        if isinstance(layer, Conv) and not all(k % 2 for k in layer.kernel):
            return f"'{layer}': the peers pad both sides alike; use an odd kernel"
        if isinstance(layer, Maxpool) and str(layer) != "Maxpool 3":
            return f"'{layer}': the peers know Maxpool 3"
    return ""


def peers(
    spec: NetworkSpec, images: Any, labels: Any, chosen: dict[str, Peer]
) -> tuple[dict[str, Callable[[], Any]], dict[str, str]]:
    """One update on these images by each of the chosen peers, and why some cannot make any.

    Parameters
    ----------
    spec : NetworkSpec
    images : Tensor (N, C, H, W), uint8
    labels : Tensor (N,)
        On the device that all is to run on.
    chosen : dict of Peer
    """
    steps, skipped = {}, {}
    for name, peer in chosen.items():
        try:
            step, _ = update(spec, images, labels, peer)
            step()  # what cannot be compiled fails here
        except ModuleNotFoundError as error:
            skipped[name] = f"needs the package '{error.name}', see benchmarks/README.md"
        except Exception as error:
            if peer.mode is None:
                raise
            skipped[name] = f"does not compile here: {first_line(error)}"
        else:
            steps[name] = step
    return steps, skipped


def first_line(error: Exception) -> str:
    """What an error says, in one line."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def update(spec: NetworkSpec, images: Any, labels: Any, peer: Peer) -> tuple[Callable[[], None], list[Any]]:
    """Back-propagation of the hinge loss with dropout, and SGD without momentum; and the weights that learn."""
    import torch
    from torch.nn import functional

    from sim.torch_device import multiply_in

    layout = torch.channels_last if peer.channels_last else torch.contiguous_format
    inputs, parameters = synapses(spec, images.device, layout, peer.feedback)
    optimiser = torch.optim.SGD(parameters, lr=0.1)
    right = functional.one_hot(labels, spec.classes).bool()

    def outputs(x: Any) -> Any:
        values = {"input": x}
        for node in spec.nodes:
            below = values[node.sources[0]]
            match node.layer:
                case Sum():
                    values[node.name] = below + values[node.sources[1]]
                case Drop(fraction):
                    values[node.name] = functional.dropout(below, fraction)
                case Maxpool(size, stride):
                    values[node.name] = functional.max_pool2d(below, size, stride, 1)
                case _:
                    h = inputs[node.index](below)
                    values[node.name] = h if node.is_output else functional.hardtanh(h)
        return values[spec.nodes[-1].name]

    def loss_of(pixels: Any) -> Any:
        found = outputs(pixels)
        hinge = torch.where(right, (1 - found).clamp_min(0), (1 + found).clamp_min(0) / (spec.classes - 1))
        return hinge.sum() / len(labels)

    if peer.mode is not None:
        loss_of = torch.compile(loss_of, mode=peer.mode)

    def step() -> None:
        multiply_in(images.device.type, "tfloat32" if peer.tfloat32 else None)
        pixels = images.to(torch.float32, memory_format=layout) / 255
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast(images.device.type, torch.bfloat16, enabled=peer.bfloat16):
            loss = loss_of(pixels)
        loss.backward()
        optimiser.step()

    return step, parameters


def synapses(
    spec: NetworkSpec, device: Any, layout: Any, feedback: bool
) -> tuple[dict[int, Callable[[Any], Any]], list[Any]]:
    """What makes h of x, by weighted layer, and the weights that learn."""
    import torch
    from torch.nn import functional

    from network.weights import Weights

    W = {i: torch.tensor(w, device=device) for i, w in Weights.draw(spec, 0, dtype="float32").W.items()}
    inputs: dict[int, Callable[[Any], Any]] = {}
    parameters: list[Any] = []
    for node in spec.weighted:
        w = W[node.index]
        padding = tuple(k // 2 for k in w.shape[2:])
        if feedback:
            from biotorch.layers.fa import Conv2d, Linear  # pyright: ignore[reportMissingImports]

            shape = w.shape[1], w.shape[0]
            flat = w.ndim == 2
            made = Linear(*shape, bias=False) if flat else Conv2d(*shape, w.shape[2:], padding=padding, bias=False)
            made.weight.data = w
            made.to(device=device, memory_format=layout)
            inputs[node.index] = (lambda x, made=made: made(x.flatten(1))) if flat else made
            parameters += [p for p in made.parameters() if p.requires_grad]
            continue
        w = (w.to(memory_format=layout) if w.ndim == 4 else w).requires_grad_()
        if w.ndim == 4:
            inputs[node.index] = lambda x, w=w, padding=padding: functional.conv2d(x, w, padding=padding)
        else:
            inputs[node.index] = lambda x, w=w: functional.linear(x.flatten(1), w)
        parameters.append(w)
    return inputs, parameters
