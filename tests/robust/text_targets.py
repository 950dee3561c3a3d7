"""What people type: networks in notation, flags, TOML files."""

from collections.abc import Callable
from typing import Any

import tomli_w
from hypothesis import strategies as st

from network.notation import _FORMS
from network.presets import NETS
from sim.config import FIELDS, TrainConfig, choices_of, config_text, is_switch
from tests.robust.damage import NUMBERS, ODD, damaged, nested
from tests.robust.guard import command
from tests.robust.whole import NET, SMALL, Files, Target

_WORDS = [*_FORMS, "full conn.", "dropout", "valid", "corner", "BN", "BN-affine", "ReLU", ">=", "C", "x", "/", ";", "."]


def _notations() -> st.SearchStrategy[str]:
    number = st.one_of(
        st.integers(0, 12).map(str),
        st.sampled_from([*map(str, NUMBERS), ".5", "1.", "-1", "1e3", "٣", "999999", "1000000", "9" * 5000, "²"]),
    )
    size = st.builds("{}x{}".format, number, number)
    layer = st.builds(
        lambda word, parts: " ".join([word, *parts]),
        st.sampled_from(_WORDS),
        st.lists(st.one_of(number, size, st.sampled_from(_WORDS)), max_size=4),
    )
    layers = st.lists(layer, min_size=1, max_size=6).map(lambda parts: "; ".join([*parts, "Output"]))
    plausible = st.builds(
        lambda f, k, s, p, w, u: f"Conv {f} {k}x{k}/{s}; {p} {w}/{s}; Full {u}; Output",
        number, number, number, st.sampled_from(("Maxpool", "Avgpool")), number, number,
    )  # fmt: skip
    many = st.builds(lambda word, n: f"{word}; " * n + "Output", st.sampled_from((NET[:10], "Drop .1", "Full 2", "")),
                     st.sampled_from((300, 3000)))  # fmt: skip
    written = [*NETS, NET, "Conv 48 9x9/2 valid BN ReLU; Maxpool 2 valid; Full 2C>=256 ReLU; Output"]
    slips = st.sampled_from(written).flatmap(lambda net: damaged(net.encode()).map(_text))
    return st.one_of(layers, plausible, slips, st.text(max_size=60), many)


def _text(data: bytes) -> str:
    return data.decode(errors="surrogateescape").replace("\0", "")


def _shown(net: str) -> bool:
    return not net.startswith("-")


def notation() -> Target:
    side = st.sampled_from((1, 2, 5, 32, 999_999))
    shape = st.one_of(st.builds("{}x{}x{}".format, side, side, side), st.text(max_size=8))
    classes = st.one_of(st.integers(-1, 12), st.sampled_from(NUMBERS)).map(str)
    inputs = st.tuples(_notations().filter(_shown), shape, classes, st.sampled_from(("paper", "code2018", "x")))

    def call(given: tuple[str, str, str, str]) -> Callable[[], int]:
        net, shape, classes, semantics = given
        return command("show", net, f"--input={shape}", f"--classes={classes}", "--semantics", semantics)

    return Target(inputs, call)


def _values(name: str) -> st.SearchStrategy[Any]:
    """For a setting: what it takes, and what it does not."""
    taken: list[Any] = [*choices_of(name), FIELDS[name].default, *ODD, *NUMBERS, 0.5]
    if is_switch(name):
        taken += [True] * 10
    if name == "net":
        return st.one_of(_notations(), st.sampled_from(taken))
    return st.one_of(st.sampled_from(taken), st.text(max_size=12), st.sampled_from(("1:.1", "5:1,2:3", "conv1", "cpu")))


def flags(files: Files) -> Target:
    own = [name for name in FIELDS if name not in ("epochs", "engine", "data_dir", "image_size")]
    pairs = st.lists(st.sampled_from(own).flatmap(lambda name: st.tuples(st.just(name), _values(name))), max_size=4)
    more = st.lists(st.one_of(st.sampled_from(("--resume", "--config", "--json", "--", "--x")), _raw()), max_size=1)

    def call(given: tuple[list[tuple[str, Any]], list[str]]) -> Callable[[], int]:
        words = ["--net", NET, "--data", str(files.data)]
        for name, value in given[0]:
            flag = "--" + name.replace("_", "-")
            words += [flag] if is_switch(name) else [f"{flag}={value}".replace("\0", "")]
        return command("train", *words, *given[1], *SMALL, "--epochs", "0", "--out", files.new())

    return Target(st.tuples(pairs, more), call, asks=True)


def _raw() -> st.SearchStrategy[str]:
    """Words as a shell hands them over: any bytes but NUL."""
    return st.binary(max_size=10).map(_text).filter(lambda text: text not in ("-h", "--help"))


def config(files: Files) -> Target:
    plain = tomli_w.dumps({"net": NET, "rule": "frfb", "eta": 0.5, "timing": "ideal", "schedule": "2:.1"}).encode()
    whole = config_text(TrainConfig(net=NET)).encode() + plain.replace(b"net", b"# ").replace(b"rule", b"# ")
    names = st.sampled_from([*FIELDS, "etta", "", "a b", "é"])
    tables = st.dictionaries(names, st.sampled_from([*ODD, *NUMBERS, 0.1, "urfb", NET]).filter(_fits_toml), max_size=5)
    deep = st.sampled_from(
        [f"net = {nested('[', ']')}", "a." * 5000 + "b = 1", f"[{'a.' * 5000}b]", "eta = 1979-05-27"]
    )
    one = st.sampled_from(sorted(FIELDS)).flatmap(
        lambda name: _values(name).filter(_fits_toml).map(lambda value: _toml({name: value}))
    )
    inputs = st.one_of(
        damaged(whole), damaged(plain), one, tables.map(_toml),
        deep.map(str.encode), st.binary(max_size=40),
    )  # fmt: skip
    forced = ("--data", str(files.data), "--image-size", "5", "--epochs", "0", *SMALL)

    def call(data: bytes) -> Callable[[], int]:
        path = files.folder / "given.toml"
        path.write_bytes(data)
        return command("train", "--config", str(path), *forced, "--out", files.new())

    return Target(inputs, call, asks=True)


def _toml(table: dict[str, Any]) -> bytes:
    return tomli_w.dumps(table).encode("utf-8", "replace")


def _fits_toml(value: Any) -> bool:
    if isinstance(value, list | dict):
        return all(map(_fits_toml, value.values() if isinstance(value, dict) else value))
    return value is not None
