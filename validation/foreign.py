"""Anyone's implementation: a trace that it wrote, held against the algorithm and against every engine."""

import argparse
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from network.errors import BadInput
from network.interchange import read_step, read_trace
from network.rules import effective_order, make_rule
from network.trace import StepTrace
from sim.cli.parser import report
from sim.engine import Settings
from validation.compare import Agreement, compare
from validation.places import place
from validation.ties import Presented, Ties, expected_of, ties_between
from validation.tolerances import agreement_tolerances
from validation.variants import REFERENCE, VARIANTS

DEFAULTS = {"rule": "urfb", "order": "before_update", "eta": 0.1, "mu": None, "gain": None, "semantics": "paper"}
WORDS = ("rule", "order", "semantics", "dtype")  # of what a trace says about itself
NUMBERS = ("eta", "mu", "gain", "feedback_rate", "feedback_decay")


@dataclass(frozen=True)
class Foreign:
    """What was found of a foreign trace.

    Attributes
    ----------
    agreement : Agreement
        With the algorithm, ties set apart.
    ties : Ties
        Decisions within rounding that it took otherwise than the reference.
    engines : dict of str to Agreement
        With every engine that is here, just as they are.
    lacking : list of str
        Arrays that it does not have, and that are not compared.
    """

    agreement: Agreement
    ties: Ties
    engines: dict[str, Agreement]
    lacking: list[str]

    @property
    def agrees(self) -> bool:
        return self.agreement.first is None


def check_foreign(case: Presented, theirs: StepTrace, dtype: str = "float64") -> Foreign:
    """Hold a trace against the algorithm and all engines.

    Parameters
    ----------
    case : Presented
        What was presented.
    theirs : StepTrace
        What their implementation made of it; arrays may be missing.
    dtype : {"float64", "float32"}
        The precision that they computed in.

    Raises
    ------
    BadInput
        For arrays that are no numbers, of another shape, or of layers that the network has not.
    """
    exact = case.by_reference()
    lacking = []
    for quantity, arrays in theirs.arrays().items():
        ours = exact.arrays()[quantity]
        for i, values in arrays.items():
            if values.dtype.kind not in "fiu":
                raise BadInput(f"{quantity}/{i} has dtype {values.dtype}; expected numbers")
            if i not in ours and not (quantity == "dR"):
                raise BadInput(f"{quantity}/{i}: the network has {len(exact.h)} layers with weights")
        lacking += [f"{quantity}/{i}" for i in sorted(ours) if i not in arrays]
    tolerances = agreement_tolerances(dtype)
    agreement = compare(expected_of(case, theirs, tolerances["h"].relative, exact), theirs, tolerances)
    engines = {}
    for variant in VARIANTS:
        if variant.ratio is None and variant.dtype == dtype and not variant.missing() and not variant.refuses(case):
            engines[variant.name] = compare(variant.present(case), theirs, tolerances)
    if REFERENCE.name not in engines:
        engines[REFERENCE.name] = compare(exact, theirs, tolerances)
    return Foreign(agreement, ties_between(case, exact, theirs), engines, lacking)


def compare_foreign(args: argparse.Namespace) -> int:
    """``hebb validate --trace theirs.npz --in step.npz``: 0 where they agree, 1 where not."""
    if not (args.trace and args.input and args.net and len(args.net) == 1):
        raise BadInput(
            "--trace theirs.npz needs --in step.npz, what was presented, and --net, the one network it is for"
        )
    theirs = read_trace(args.trace)
    _check_meta(args.trace, theirs.meta)
    chosen = {name: _chosen(args, theirs, name) for name in DEFAULTS}
    rule = make_rule(chosen["rule"], theirs.meta.get("feedback_rate") or None, theirs.meta.get("feedback_decay") or 0.0)
    dtype = args.dtype or theirs.meta.get("dtype") or _precision(theirs)
    Settings(rule, chosen["eta"], chosen["mu"], chosen["order"], dtype)  # says which of them cannot be
    spec, step = read_step(args.input, args.net[0], rule, gain=chosen["gain"], semantics=chosen["semantics"])
    case = Presented(
        spec, step.weights.astype("float64"), step.images.astype("float64"), step.labels, rule,
        chosen["eta"], chosen["mu"], effective_order(rule, chosen["order"]),
    )  # fmt: skip
    try:
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows differs, and is reported so
            found = check_foreign(case, theirs, dtype)
    except BadInput as error:
        raise BadInput(f"{args.trace}: {error}") from None
    report(args, _result(case, found, dtype), _text(case, found, args.trace, dtype))
    return 0 if found.agrees else 1


def _check_meta(path: str, meta: dict[str, Any]) -> None:
    """Refuse settings that are no words or numbers where they have to be."""
    for name in (*WORDS, *NUMBERS):
        value, kind = meta.get(name), str if name in WORDS else int | float
        if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
            what = "a word" if name in WORDS else "a number"
            raise BadInput(f"{path}: its meta has {name} {str(value)[:40]!r}; expected {what}")
        if isinstance(value, int) and abs(value) > sys.float_info.max:
            raise BadInput(f"{path}: its meta has {name} {str(value)[:40]}; expected a finite number")


def _chosen(args: argparse.Namespace, theirs: StepTrace, name: str) -> Any:
    """A setting: as the flag says, else as the trace says, else the default. JSON's whole numbers become floats."""
    for given in (getattr(args, name), theirs.meta.get(name)):
        if given is not None:
            return float(given) if name in NUMBERS else given
    return DEFAULTS[name]


def _precision(theirs: StepTrace) -> str:
    dtypes = {str(values.dtype) for arrays in theirs.arrays().values() for values in arrays.values()}
    return "float32" if "float32" in dtypes else "float64"


def where_first(case: Presented, agreement: Agreement) -> str:
    """The first place beyond tolerance, in words; empty where there is none."""
    first = agreement.first
    if first is None or first.first is None:
        return ""
    others = first.beyond - 1
    more = f" and {others:,} more entries of it" if others else ""
    return f"{first.quantity}/{first.layer}: {place(case.spec, first.quantity, first.layer, first.first)}{more}"


def _result(case: Presented, found: Foreign, dtype: str) -> dict[str, Any]:
    rows = [
        {
            "quantity": d.quantity, "layer": d.layer, "relative": d.relative, "largest": d.largest,
            "angle_degrees": d.angle, "same_sign": d.signs, "equal_bits": d.exact, "beyond_tolerance": d.beyond,
            "first_beyond": place(case.spec, d.quantity, d.layer, d.first) if d.first else None,
        }
        for d in found.agreement.differences
    ]  # fmt: skip
    return {
        "agrees": found.agrees, "dtype": dtype, "first_beyond": where_first(case, found.agreement) or None,
        "differences": rows, "ties": vars(found.ties), "lacking": found.lacking,
        "engines": {name: agreement.worst.relative for name, agreement in found.engines.items()},
    }  # fmt: skip


def _text(case: Presented, found: Foreign, path: str, dtype: str) -> str:
    lines = [f"{'array':10}{'relative':>11}{'angle':>9}{'same sign':>11}{'equal bits':>12}  beyond tolerance"]
    for d in sorted(found.agreement.differences, key=lambda difference: difference.made):
        where = f"{d.beyond:,}, first {place(case.spec, d.quantity, d.layer, d.first)}" if d.first else "none"
        name = f"{d.quantity}/{d.layer}"
        lines.append(f"{name:10}{d.relative:11.2e}{d.angle:9.2g}{d.signs:11.4f}{d.exact:12.4f}  {where}")
    if found.lacking:
        lines.append(f"not there, not compared: {', '.join(found.lacking)}")
    lines.append(f"ties decided otherwise than by the reference, set apart: {found.ties}")
    lines += [f"as it is, against {name}: {worst.worst}" for name, worst in found.engines.items()]
    if found.agrees:
        return "\n".join([*lines, f"{path} agrees with the algorithm in {dtype}"])
    first = where_first(case, found.agreement)
    return "\n".join([*lines, f"{path} does NOT agree with the algorithm in {dtype}; first in {first}"])
