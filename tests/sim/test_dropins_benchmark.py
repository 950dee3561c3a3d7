"""``hebb bench dropins``: what it says of single layers, and which variants it has."""

import sys

from benchmarks import dropins


def test_all_our_layers_are_right_and_a_wrong_one_is_named():
    assert set(dropins.covered(dropins.of_ours).values()) == {"right"}

    def spoiled(model):
        dropins.of_ours(model)
        model[0].weight.data.mul_(2)
        model[0].rule = type(model[0].rule)("other", "softmax", symmetric=True)  # back through W, and not through R

    assert dropins.covered(spoiled)["Linear"] == "wrong output, feedback"


def test_without_biotorch_the_rest_is_measured(monkeypatch):
    monkeypatch.setitem(sys.modules, "biotorch", None)
    variants, skipped = dropins.prepare(2, ("plain",))
    assert list(variants) == ["torch.nn, plain", *(f"{name}, plain" for name in dropins.OURS)]
    assert list(skipped) == list(dropins.THEIRS) and all("'biotorch" in why for why in skipped.values())
    theirs = dropins.covered(dropins.of_theirs)
    figures = {
        "batch_size": 2, "threads": 1, "clock": "processor", "skipped": skipped,
        "updates": {"urfb, plain": {"milliseconds": 1.5, "over_torch": {"median": 1.2, "least": 1.1, "most": 1.3}}},
        "layers": {"ours": dropins.covered(dropins.of_ours), "BioTorch": theirs},
    }  # fmt: skip
    lines = dropins.text(figures).splitlines()
    assert lines[2].split() == ["urfb,", "plain", "1.5", "1.20", "1.10", "1.30"]
    assert any(line.startswith("Linear, of sequences") and "right" in line and "biotorch" in line for line in lines)
