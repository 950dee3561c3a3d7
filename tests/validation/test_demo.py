"""The demonstration, small: what it prints, what it writes, and that a second one neither fails nor destroys."""

import json
import re
from html.parser import HTMLParser

import pytest

from sim.cli import main


class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.sources, self.links, self.cells = [], [], []
        self._in_cell = False

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self._in_cell = tag == "td"
        if "src" in attributes:
            self.sources.append(attributes["src"])
        if "href" in attributes:
            self.links.append(attributes["href"])

    def handle_data(self, data):
        if self._in_cell:
            self.cells.append(data)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo") / "out"
    flags = ["demo", "--seeds", "2", "--epochs", "1", "--quiet", "--out", str(out), "--json", str(out) + ".json"]
    assert main(flags) == 0
    return out, flags


def test_the_report_needs_nothing_but_itself(demo):
    text = (demo[0] / "report.html").read_text()
    page = Page()
    page.feed(text)
    assert len(page.sources) >= 12  # the circuits, the curves, and the three studies of timing
    assert "When the order is not kept" in text
    assert all(source.startswith("data:image/svg+xml;base64,") for source in page.sources)
    assert not page.links
    assert "url(" not in text.replace("data:", "")


def test_the_numbers_in_the_report_are_the_runs(demo):
    out, _ = demo
    errors = json.loads((out.parent / "out.json").read_text())["test_error"]
    page = Page()
    page.feed((out / "report.html").read_text())
    for rule in ("bph", "urfb", "frfb"):
        rows = [(out / f"{rule}-seed{seed}/metrics.jsonl").read_text().splitlines() for seed in (0, 1)]
        last = [json.loads(lines[-1])["test_error"] for lines in rows]
        assert errors[rule] == last
        assert f"{100 * sum(last) / 2:.2f} %" in page.cells


def test_a_second_demo_gives_the_same_and_leaves_other_runs_alone(demo, capsys):
    out, flags = demo
    before = (out / "urfb-seed1/weights.safetensors").read_bytes()
    (out / "mine.txt").write_text("keep me")
    assert main(flags) == 0
    assert re.search(r"urfb +\d+\.\d\d %", capsys.readouterr().out)
    assert (out / "urfb-seed1/weights.safetensors").read_bytes() == before
    assert (out / "mine.txt").read_text() == "keep me"
    assert main([*flags, "--epochs", "2"]) == 2
    assert "holds another run" in capsys.readouterr().err
    assert (out / "urfb-seed1/weights.safetensors").read_bytes() == before
