"""PyTorch's own training steps on a GPU, for ``hebb bench gpu``."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.gpu_forms import Images, Learn
from benchmarks.peers import PEERS, Peer, peers
from network.spec import NetworkSpec
from sim.cli.parser import note

COMPILED = {
    "torch.compile max-autotune": Peer(mode="max-autotune"),
    "torch.compile max-autotune channels_last": Peer(channels_last=True, mode="max-autotune"),
    "torch.compile max-autotune channels_last, tfloat32": Peer(True, tfloat32=True, mode="max-autotune"),
    "torch.compile max-autotune channels_last, bfloat16 autocast": Peer(True, bfloat16=True, mode="max-autotune"),
}
EAGER = {name: peer for name, peer in PEERS.items() if peer.mode is None}
EAGER |= {"autograd channels_last, tfloat32": Peer(channels_last=True, tfloat32=True)}
QUICK = {  # those of the compiled, by network, where there is little time
    "simpnet": (
        "torch.compile max-autotune channels_last",
        "torch.compile max-autotune channels_last, bfloat16 autocast",
    )
}


def compiled_of(net: str, quick: bool) -> list[str]:
    """The compiled peers of a network, where none are named."""
    return list(QUICK.get(net, [])) if quick else list(COMPILED)


def theirs(
    spec: NetworkSpec, data: Images, chosen: dict[str, Peer], size: int, limit: int
) -> tuple[dict[str, Learn], dict[str, str]]:
    """The peers that run here, and why the others do not. They learn the first `size` images again and again; each has
    `limit` seconds to compile.
    """
    batch = data.images[:size], data.labels[:size]
    variants, skipped = dict[str, Learn](), dict[str, str]()

    def repeated(step: Callable[[], Any]) -> Learn:
        def learn(updates: int) -> None:
            for _ in range(updates):
                step()

        return learn

    for name, peer in chosen.items():
        with limited(limit if peer.mode else None):
            found, why = peers(spec, *batch, {name: peer})
        skipped |= why
        variants |= {each: repeated(step) for each, step in found.items()}
        note(f"{'skipped' if why else 'ready'}: {name}")
    return variants, skipped


@contextmanager
def limited(seconds: int | None) -> Iterator[None]:
    """Have what takes longer than so many seconds end with a `TimeoutError`, where the system can do that."""
    if not seconds or not hasattr(signal, "SIGALRM") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: Any) -> None:
        raise TimeoutError(f"not done after {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
