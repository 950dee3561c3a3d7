"""The certificate's claim about dropout: it holds, and it fails where an engine silences other units."""

import numpy as np

from network.layers import Drop
from sim import reference_engine, torch_engine
from sim.data import load_data
from validation.cases import cases
from validation.dropout import check_dropout
from validation.variants import REFERENCE, VARIANTS, Variant

PLAIN = Variant("torch plain", "torch", kernels="plain")


def small(net="all kinds of layers"):
    return list(cases(net, load_data("digits"), images=4, seeds=(0,), gain=0.7))


def test_engines_that_silence_the_same_units_pass():
    claim = check_dropout(small(), [REFERENCE, PLAIN, *(v for v in VARIANTS if v.ratio is not None)])
    assert claim.passed and claim.note.startswith("2 engines and readings")  # those that take time are left out


def test_an_engine_that_takes_one_mask_for_the_other_fails(monkeypatch):
    right = torch_engine.dropout_masks

    def wrong(spec, settings, step, count):
        found = right(spec, settings, step, count)
        if settings.dropout_mask == "per-batch":
            found = {name: np.roll(mask, 1, axis=1) for name, mask in found.items()}
        return found

    monkeypatch.setattr(torch_engine, "dropout_masks", wrong)
    claim = check_dropout(small(), [PLAIN])
    assert claim.passed is False and "torch plain, per-batch" in claim.note


def test_where_both_readings_learn_the_same_nothing_is_claimed(monkeypatch):
    def nothing_dropped(spec, settings, step, count):
        drops = (node for node in spec.nodes if isinstance(node.layer, Drop))
        return {node.name: np.ones((count, *node.shape), bool) for node in drops}

    monkeypatch.setattr(reference_engine, "dropout_masks", nothing_dropped)
    claim = check_dropout(small(), [])
    assert claim.passed is False and "so that none is checked" in claim.note
