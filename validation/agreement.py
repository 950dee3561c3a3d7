"""All engines against the algorithm and against each other, over many presentations: the rows of the certificate."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import inf, nan
from typing import Any

import numpy as np

from network.errors import BadInput
from network.trace import StepTrace
from validation.cases import Case
from validation.claims import Claim
from validation.compare import Agreement, Difference, compare
from validation.places import place
from validation.ties import Ties, expected_of, ties_between
from validation.variants import REFERENCE, Variant

GROUPS = {
    "activity": (("h", "x"), "The activity is that of equation (1).", "equation (1)"),
    "feedback": (("delta",), "The feedback is that of equations (6), (2) and (3).", "equations (2), (3), (6)"),
    "increments": (("dW", "dR"), "The weights change as the algorithm has it.", "section 3.1"),
}


@dataclass
class Agreements:
    """What was compared.

    Attributes
    ----------
    rows : list of dict
        One for every case, engine, quantity and layer: against the algorithm, ties set apart.
    pairs : list of dict
        One for every case, pair of engines and quantity: the worst layer, just as they are.
    shown : list of dict
        One for every case: how many units are saturated and outputs silent, so that a reader sees what there was to
        agree on.
    left_out : dict of (str, str) to int
        Engine and why it was not asked, and for how many cases.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    pairs: list[dict[str, Any]] = field(default_factory=list)
    shown: list[dict[str, Any]] = field(default_factory=list)
    left_out: dict[tuple[str, str], int] = field(default_factory=dict)

    def of(self, variant: Variant, quantities: Sequence[str]) -> list[dict[str, Any]]:
        return [row for row in self.rows if row["engine"] == variant.name and row["quantity"] in quantities]

    def claims(self, variants: Sequence[Variant]) -> list[Claim]:
        """Three for each engine: activity, feedback, increments."""
        found = []
        for variant in variants:
            for group, (quantities, statement, source) in GROUPS.items():
                rows = self.of(variant, quantities)
                if rows:
                    found.append(_claim(f"{variant.name}: {group}", statement, source, rows))
        return found


def agree(
    cases: Iterable[Case], variants: Sequence[Variant], seen: Callable[[Case], None] = lambda case: None
) -> Agreements:
    """Present every case to every engine that takes it.

    Parameters
    ----------
    cases : iterable of Case
    variants : sequence of Variant
        Those that are there. The reference is compared with the others' whether it is among them or not.
    seen : callable
        Told of every case that is done.
    """
    found = Agreements()
    for case in cases:
        presented = case.presented
        exact = presented.by_reference()
        found.shown.append(_shown(case, exact))
        traces: dict[str, StepTrace] = {REFERENCE.name: exact}
        for variant in variants:
            if variant == REFERENCE:
                continue
            refused = variant.refuses(presented)
            if refused:
                key = (variant.name, refused)
                found.left_out[key] = found.left_out.get(key, 0) + 1
                continue
            try:
                trace = traces[variant.name] = variant.present(presented)
            except BadInput as refusal:
                found.rows += _refused(case, variant, str(refusal))
                continue
            tolerances = variant.tolerances(presented)
            timed = variant.ratio is not None
            expected = expected_of(presented, trace, tolerances["h"].relative, exact, own_delta=timed)
            agreement = compare(expected, trace, tolerances)
            ties = ties_between(presented, exact, trace)
            found.rows += _rows(case, variant, agreement, ties)
        for a, b in combinations(traces, 2):
            found.pairs += _pair(case, a, b, compare(traces[a], traces[b]))
        seen(case)
    return found


def _rows(case: Case, variant: Variant, agreement: Agreement, ties: Ties) -> list[dict[str, Any]]:
    rows = []
    for d in agreement.differences:
        first = place(case.presented.spec, d.quantity, d.layer, d.first) if d.first else ""
        rows.append(
            {
                **case.words, "engine": variant.name, "quantity": d.quantity, "layer": d.layer, "largest": d.largest,
                "relative": d.relative, "tolerance": d.allowed, "angle_degrees": d.angle,
                "same_sign": d.signs, "equal_bits": d.exact, "beyond_tolerance": d.beyond, "first_beyond": first,
                "tied_outputs": ties.outputs, "tied_units": ties.units, "tied_windows": ties.windows,
                "case": str(case),
            }
        )  # fmt: skip
    return rows


def _refused(case: Case, variant: Variant, why: str) -> list[dict[str, Any]]:
    """An engine that refuses a presentation is infinitely wrong about it."""
    nothing = {"largest": inf, "relative": inf, "angle_degrees": nan, "same_sign": 0.0, "equal_bits": 0.0}
    ties = dict.fromkeys(("tied_outputs", "tied_units", "tied_windows"), 0)
    return [
        {
            **case.words, "engine": variant.name, "quantity": quantity, "layer": 1, **nothing,
            "tolerance": tolerance.relative, "beyond_tolerance": 1, "first_beyond": f"refused: {why}", **ties,
            "case": str(case),
        }
        for quantity, tolerance in variant.tolerances(case.presented).items()
    ]  # fmt: skip


def _pair(case: Case, a: str, b: str, agreement: Agreement) -> list[dict[str, Any]]:
    worst: dict[str, Difference] = {}
    for d in agreement.differences:
        if d.quantity not in worst or d.relative > worst[d.quantity].relative:
            worst[d.quantity] = d
    return [
        {
            **case.words, "a": a, "b": b, "quantity": quantity, "layer": d.layer, "relative": d.relative,
            "angle_degrees": d.angle, "same_sign": d.signs, "equal_bits": d.exact,
        }
        for quantity, d in worst.items()
    ]  # fmt: skip


def _shown(case: Case, exact: StepTrace) -> dict[str, Any]:
    spec = case.presented.spec
    hidden = [np.abs(spec.gain * exact.h[node.index]).ravel() >= 1 for node in spec.weighted[:-1]]
    saturated = float(np.concatenate(hidden).mean()) if hidden else 0.0
    return {**case.words, "saturated": saturated, "silent": float(np.mean(exact.delta[len(exact.delta)] == 0))}


def _claim(name: str, statement: str, source: str, rows: list[dict[str, Any]]) -> Claim:
    worst = max(rows, key=lambda row: row["relative"] / row["tolerance"])
    cases = {row["case"]: row for row in rows}
    ties = {kind: sum(row[f"tied_{kind}"] for row in cases.values()) for kind in ("outputs", "units", "windows")}
    counted = ", ".join(f"{count:,} {kind}" for kind, count in ties.items() if count)
    bound = f"<= {worst['tolerance']:.1e}"
    note = f"{len(cases):,} presentations; worst: {worst['quantity']} of layer {worst['layer']}, {worst['case']}"
    note += f"; ties decided otherwise than by the reference, set apart: {counted}" if counted else "; no ties"
    failing = next((row for row in rows if row["first_beyond"]), None)
    if failing:
        note += f"; first beyond: {failing['quantity']} at {failing['first_beyond']}, {failing['case']}"
    return Claim(name, statement, source, worst["relative"], bound, worst["relative"] <= worst["tolerance"], note)
