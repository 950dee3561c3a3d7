"""The equivalence certificate: does the circuit compute what the algorithm computes, claim by claim."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from network.presets import PRESETS
from network.spec import NetworkSpec
from sim.data import Dataset, load_data
from sim.engine import CIRCUITS
from validation.agreement import Agreements, agree
from validation.cases import Case, cases, trained_cases
from validation.claims import Claim, all_pass
from validation.dropout import check_dropout
from validation.evidence import check_laws
from validation.learning import Learned, check_depth, learn_in_both_orders, learning_claim
from validation.locality import excess_of_locality, lively_unit
from validation.order import check_need, check_order
from validation.ties import Presented
from validation.tolerances import TOLERANCES
from validation.variants import VARIANTS, Variant
from validation.worst import Worst

if TYPE_CHECKING:
    from validation.limits import Sweep

GAIN = 0.7  # of the small networks: not 1, so that a gain left out shows
SEEDS = (0, 1)


@dataclass(frozen=True)
class Plan:
    """What a certificate covers besides the small networks, which are always there.

    Attributes
    ----------
    nets : tuple of str
        Presets or notations, presented at enlarged weights by every rule, in every order, with and without masks.
    data : Dataset or None
        Their images; None for the small networks alone.
    images : int
        Presented at once.
    seeds : int
        How many seeds of weights and masks the networks are drawn with.
    trained : str
        The network that is followed over a training run on `data`; empty for none.
    updates, batch : int
        How long that run is.
    """

    nets: tuple[str, ...] = ()
    data: Dataset | None = None
    images: int = 4
    seeds: int = 1
    trained: str = ""
    updates: int = 180
    batch: int = 500


@dataclass
class Certificate:
    """What was found.

    Attributes
    ----------
    claims : list of Claim
    agreements : Agreements
    checked : list of Variant
    missing : list of (Variant, str)
        Engines that are not here, and why.
    errors : dict of (str, str) to float
        Test error at each point of each training run, by network and point.
    learned : list of Learned
    sweeps : list of Sweep
        Where it breaks; none where there is no circuit to break.
    """

    checked: list[Variant]
    missing: list[tuple[Variant, str]]
    claims: list[Claim] = field(default_factory=list)
    agreements: Agreements = field(default_factory=Agreements)
    errors: dict[tuple[str, str], float] = field(default_factory=dict)
    learned: list[Learned] = field(default_factory=list)
    sweeps: "list[Sweep]" = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return all_pass(self.claims)

    def as_dict(self) -> dict[str, Any]:
        """For JSON; the rows are in the CSV files."""
        return {
            "passed": self.passed,
            "claims": [claim.as_dict() for claim in self.claims],
            "checked": [variant.name for variant in self.checked],
            "not_checked": [{"engine": variant.name, "reason": why} for variant, why in self.missing],
            "left_out": [
                {"engine": name, "reason": why, "presentations": count}
                for (name, why), count in self.agreements.left_out.items()
            ],
            "training": [
                {"net": net, "point": point, "test_error": error} for (net, point), error in self.errors.items()
            ],
            "order_of_update": [vars(run) for run in self.learned],
            "where_it_breaks": [sweep.as_dict() for sweep in self.sweeps],
        }


def certify(
    plan: Plan,
    variants: Sequence[Variant] = VARIANTS,
    seen: Callable[[str], None] = lambda what: None,
) -> Certificate:
    """Check everything.

    Parameters
    ----------
    plan : Plan
    variants : sequence of Variant
        Those that cannot be run here are listed, with the reason.
    seen : callable
        Told what has been done, in words, after each presentation.
    """
    missing = [(variant, variant.missing()) for variant in variants]
    found = Certificate([v for v, why in missing if not why], [(v, why) for v, why in missing if why])
    digits = load_data("digits")
    small = [case for net in ("all kinds of layers", "fully connected") for case in _small(net, digits)]
    found.claims += check_laws(small, found.checked, lambda case: seen(f"laws: {case}"))
    found.claims.append(_locality(small, found.checked))
    found.claims.append(_backpropagation(small, found.checked))
    found.claims.append(check_dropout(small, found.checked))
    specs = [(net, NetworkSpec.parse(net, (3, 32, 32), 10)) for net in PRESETS]
    circuit = next((v for v in found.checked if v.engine in CIRCUITS and v.ratio is None), None)
    if circuit:
        found.claims += [check_order(specs), check_need(_plain(small), circuit)]
    trainer = "torch" if any(v.engine == "torch" for v in found.checked) else "reference"
    found.agreements = agree(_all(plan, small, digits, trainer, found), found.checked, lambda c: seen(f"engines: {c}"))
    found.claims += found.agreements.claims(found.checked)
    found.claims.append(_at_work(found))
    found.learned = learn_in_both_orders(
        "small convolutional", digits, updates=150, batch=50, seeds=SEEDS, engine=trainer, eta=0.3
    )
    what = "small convolutional network on digits, 150 updates of 50 images, eta 0.3, URFB, seeds 0 and 1"
    found.claims += [learning_claim(found.learned, what), check_depth(PRESETS)]
    if circuit:
        from validation.boundaries import check_boundaries  # here, because they need Numba
        from validation.limits import sweeps

        found.sweeps = sweeps(_trained(digits, trainer))
        found.claims.append(check_boundaries(found.sweeps))
    return found


def count_of(plan: Plan) -> int:
    """How many times `certify` tells what it has done."""
    each = 2 * 5  # rules and orders, with and without masks
    small = 2 * len(SEEDS) * 2 * 7
    trained = 15 * (1 + bool(plan.trained and plan.data))
    return small + small // 2 + trained + len(plan.nets) * plan.seeds * each * (plan.data is not None)


def _small(net: str, digits: Dataset) -> Iterator[Case]:
    return cases(net, digits, images=4, seeds=SEEDS, gain=GAIN, decays=True)


def _all(plan: Plan, small: Sequence[Case], digits: Dataset, trainer: str, found: Certificate) -> Iterator[Case]:
    """Everything that all engines are compared on."""
    yield from (case for case in small if case.seed == SEEDS[0])
    runs = [("small convolutional", digits, 150, 50)]
    if plan.data is not None:
        for net in plan.nets:
            yield from cases(net, plan.data, images=plan.images, seeds=range(plan.seeds))
        if plan.trained:
            runs.append((plan.trained, plan.data, plan.updates, plan.batch))
    for net, data, updates, batch in runs:
        options = {"images": plan.images, "seed": 0, "updates": updates, "batch": batch, "engine": trainer}
        for case, error in trained_cases(net, data, **options):
            found.errors[net, case.point] = error
            yield case


def _plain(small: Sequence[Case], rule: str = "urfb"):
    """A fully connected network with all its connections, nothing decaying."""
    return next(
        case.presented
        for case in small
        if case.net == "fully connected" and case.connectivity == 1 and case.presented.rule.name == rule
        and not case.presented.rule.feedback_decay and case.presented.order == "before_update"
    )  # fmt: skip


def _trained(digits: Dataset, trainer: str) -> Presented:
    """The small network at the end of its training, to break things in."""
    run = trained_cases("small convolutional", digits, images=8, seed=0, updates=150, batch=50, engine=trainer)
    return next(case.presented for case, _ in run if case.point == "trained" and case.presented.rule.name == "urfb")


def _locality(small: Sequence[Case], variants: Sequence[Variant]) -> Claim:
    elsewhere, silent = Worst(), []
    case = _plain(small)
    for variant in variants:
        if variant.dtype != "float64" or variant.ratio is not None:
            continue
        for node in case.spec.weighted[:-1]:
            unit = lively_unit(case, node.index)
            other, own = excess_of_locality(case, variant, node.index, unit)
            elsewhere.see(other, f"{variant.name}, unit {unit} of layer {node.index}")
            if own == 0:
                silent.append(f"{variant.name}, unit {unit} of layer {node.index}")
    claim = elsewhere.claim(
        "local",
        "A change of one unit's activity, or of its feedback, changes the increments of its own synapses and of no "
        "others between the same two layers.",
        "section 3.1", 0.0, "units disturbed",
    )  # fmt: skip
    if not silent:
        return claim
    return Claim(**{**vars(claim), "passed": False, "note": f"its own synapses did not notice: {', '.join(silent)}"})


def _backpropagation(small: Sequence[Case], variants: Sequence[Variant]) -> Claim:
    statement = "With R = W, and weights that change after the feedback has passed, the increments are the gradient."
    text = "back-propagation", statement, "section 3.1, against automatic differentiation"
    try:
        from validation.backpropagation import excess_over_gradient
    except ModuleNotFoundError as error:
        return Claim(*text, "not checked", "", None, f"{error.name} is not installed")
    excess = Worst()
    for case in small:
        if case.presented.order != "before_update" or case.presented.rule.feedback_decay:
            continue
        for variant in variants:
            if variant.dtype == "float64" and variant.ratio is None:
                excess.see(excess_over_gradient(case.presented, variant), f"{variant.name} on {case}")
    return excess.claim(*text, TOLERANCES["float64"].relative)


def _at_work(found: Certificate) -> Claim:
    """Whether there was anything for the control neurons to do: agreement on nothing would be no agreement."""
    trained = [row for row in found.agreements.shown if row["point"] == "trained"]
    least = min((min(row["silent"], row["saturated"]) for row in trained), default=0.0)
    note = "; ".join(
        f"{row['net']}: {row['silent']:.0%} of the outputs silenced, {row['saturated']:.0%} of hidden units saturated"
        for row in trained
        if row["rule"] == "urfb" and row["order"] == "before_update"
    )
    return Claim(
        "controls-at-work", "In the trained networks that were presented, outputs are silenced and units saturated: "
        "the control neurons had something to do.", "Appendix 1", least, "> 0", least > 0, note,
    )  # fmt: skip
