"""Processes that are measured: what they answer, and what is said when one ends."""

import os
import signal

import pytest

from benchmarks.servers import Server, rounds, stop_all
from network.errors import BadInput

MIB = 1 << 20


def variants(mebibytes):
    def allocate():
        return bytes(b"x" * (mebibytes * MIB))

    return {"nothing": lambda: None, "allocate": allocate}, {"other": "not here"}


def killed():
    return {"killed": lambda: os.kill(os.getpid(), signal.SIGKILL)}, {}


def wrong():
    raise BadInput("no such thing")


def test_every_variant_is_timed_in_every_round_and_memory_is_its_own():
    servers = {str(size): Server(variants, size, threads=1, clock="processor") for size in (1, 100)}
    try:
        seconds = rounds(servers, 3)
        small, large = (server.memory() for server in servers.values())
    finally:
        stop_all(servers.values())
    assert {name: len(values) for name, values in seconds.items()} == {
        (size, variant): 3 for size in servers for variant in ("nothing", "allocate")
    }
    assert servers["1"].skipped == {"other": "not here"}
    assert 95 < large - small < 210  # the array, or that and its source
    assert min(seconds["100", "allocate"]) > max(0, *seconds["100", "nothing"])


def test_what_ends_a_process_is_said():
    with pytest.raises(BadInput, match="no such thing"):
        Server(wrong, threads=1, clock="wall")
    server = Server(killed, threads=1, clock="wall")
    with pytest.raises(BadInput, match="killed by signal 9"):
        server.ask("killed")
    server.stop()
