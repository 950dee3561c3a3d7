"""Learning rules: which loss drives the output, how the feedback weights R are made, and how they change.

A rule is a value. No engine knows a rule by name: it reads these fields.

==========  =========  ====================================  ==========================================
rule        loss       feedback travels through              R changes by
==========  =========  ====================================  ==========================================
``bp``      softmax    W itself (weight transport)           there is no R
``bph``     hinge (4)  W itself (weight transport)           there is no R
``frfb``    hinge (4)  R, drawn independently of W           nothing: fixed random feedback
``urfb``    hinge (4)  R, drawn independently of W           the same Hebbian increment as W
``usf``     softmax    sign(W)                               following the signs of W
``nusf``    softmax    sign(W) / inputs of a unit            following the signs of W
``brsf``    softmax    M o sign(W) o S_p                     the signs of W, and new M and S_p an update
``frsf``    softmax    M o sign(W) o S_p, M and S_p fixed    following the signs of W
``rndf``    softmax    R, drawn from N(0, 0.05^2)            nothing: fixed random feedback
``dfa``     softmax    R, straight from the output           nothing: fixed random feedback
==========  =========  ====================================  ==========================================

The first four are Amit's, the next five those of Liao, Leibo and Poggio, "How important is weight symmetry in
backpropagation?" (section 2; ``nusf`` in section 5). The last, direct feedback alignment, is Nokland's (2016).
"""

from dataclasses import dataclass, replace

from network.errors import BadInput, unknown

ORDERS = ("before_update", "after_update")

# How the feedback made from signs is scaled: as in the paper, or as in published codes that change it.
SCALES = ("none", "inputs", "biotorch", "sign-symmetry")


@dataclass(frozen=True)
class Signs:
    """Feedback made from the signs of W, anew after each update: R = c M o sign(W) o S_p.

    sign(0) is 1: the paper's sign is -1 or 1. Where W has no connection (`Weights.mask_W`) there is no sign to agree
    with, and R is 0.

    Attributes
    ----------
    magnitudes : {"one", "fixed", "batch"}
        M: all ones, or uniform in [0, 1), drawn once or redrawn after each update.
    flip_probability : float
        p: each entry of S_p is -1 with this probability, else 1. Drawn as often as M.
    scale : {"none", "inputs", "biotorch", "sign-symmetry"}
        c. ``"none"``: 1. ``"inputs"``: 1 / the inputs of a unit, kw kh C_in for a convolution (NuSF). The others are
        not the paper's, see `network.feedback.scale_of_layer`.
    """

    magnitudes: str = "one"
    flip_probability: float = 0.0
    scale: str = "none"


@dataclass(frozen=True)
class Rule:
    """A learning rule.

    Attributes
    ----------
    name : str
        As in the table above.
    loss : {"hinge", "softmax"}
        Output error: equation (6), or y - softmax(x).
    symmetric : bool
        Feedback travels through W itself: back-propagation.
    feedback_rate : float
        Epsilon of equation (7): R changes by epsilon times W's increment. 0 is FRFB, 1 is URFB.
    feedback_decay : float
        Lambda of Kolen and Pollack: with each update both W and R also lose this fraction of themselves, so that their
        difference dies out as (1 - lambda)^updates. 0 is URFB, where the difference never changes.
    deviation : float or None
        R is drawn from a normal distribution with this standard deviation; None for Glorot uniform, as W.
    signs : Signs or None
        R is made from the signs of W anew after each update, and has no increments of its own.
    feedback_from : {"above", "output"}
        Whence the feedback of a hidden layer comes: from the layers that read it, through theirs, or from the error of
        the output units, past all that lies between. See `network.feedback.synapses_of_R`.
    """

    name: str
    loss: str
    symmetric: bool
    feedback_rate: float = 0.0
    feedback_decay: float = 0.0
    deviation: float | None = None
    signs: Signs | None = None
    feedback_from: str = "above"

    @property
    def R_takes_increments(self) -> bool:
        """Whether a Hebbian gate changes R beside W: where both connect the same two layers, and R is its own."""
        return not self.symmetric and self.signs is None and self.feedback_from == "above"


RULES = {
    "bp": Rule("bp", loss="softmax", symmetric=True),
    "bph": Rule("bph", loss="hinge", symmetric=True),
    "frfb": Rule("frfb", loss="hinge", symmetric=False, feedback_rate=0.0),
    "urfb": Rule("urfb", loss="hinge", symmetric=False, feedback_rate=1.0),
    "usf": Rule("usf", loss="softmax", symmetric=False, signs=Signs()),
    "nusf": Rule("nusf", loss="softmax", symmetric=False, signs=Signs(scale="inputs")),
    "brsf": Rule("brsf", loss="softmax", symmetric=False, signs=Signs(magnitudes="batch")),
    "frsf": Rule("frsf", loss="softmax", symmetric=False, signs=Signs(magnitudes="fixed")),
    "rndf": Rule("rndf", loss="softmax", symmetric=False, deviation=0.05),
    "dfa": Rule("dfa", loss="softmax", symmetric=False, feedback_from="output"),
}


def make_rule(
    name: str,
    feedback_rate: float | None = None,
    feedback_decay: float = 0.0,
    flip_probability: float = 0.0,
    feedback_scale: str | None = None,
) -> Rule:
    """A rule by name, with epsilon and lambda where the feedback weights learn, p and c where they follow signs.

    Parameters
    ----------
    name : str
        A key of `RULES`.
    feedback_rate, feedback_decay
        Of `Rule`; the rule's own where not given.
    flip_probability, feedback_scale
        Of `Signs`; the rule's own where not given.

    Raises
    ------
    BadInput
        For an unknown name, a value out of range, or an option that the rule has no use for.
    """
    if name not in RULES:
        raise unknown("rule", name, RULES)
    rule = _with_signs(RULES[name], flip_probability, feedback_scale)
    if feedback_rate is None and feedback_decay == 0:
        return rule
    rate = rule.feedback_rate if feedback_rate is None else feedback_rate
    if rule.feedback_rate == 0 and (rate > 0 or feedback_decay > 0):
        why = "its feedback weights are fixed"
        if rule.symmetric or rule.signs:
            why = "it feeds back through W" if rule.symmetric else "its feedback weights follow the signs of W"
        raise BadInput(f"rule '{name}' takes no feedback rate or decay, {why}; 'urfb' takes both")
    if not 0 <= rate <= 1:
        raise BadInput(f"feedback rate {rate:g}: expected 0 (fixed feedback) to 1 (the same increment as W)")
    if not 0 <= feedback_decay < 1:
        raise BadInput(f"feedback decay {feedback_decay:g}: expected 0 <= decay < 1, the share lost with each update")
    if rate == 0 and feedback_decay > 0:
        raise BadInput("feedback decay with feedback rate 0 only makes R vanish; give a rate above 0, or no decay")
    return replace(rule, feedback_rate=rate, feedback_decay=feedback_decay)


def _with_signs(rule: Rule, flip_probability: float, scale: str | None) -> Rule:
    """`rule` with p and c, where it follows signs."""
    if not 0 <= flip_probability <= 1:
        raise BadInput(f"flip probability {flip_probability:g}: expected 0 (all signs agree) to 1 (none does)")
    random = rule.signs is not None and rule.signs.magnitudes != "one"
    if flip_probability and not random:
        raise BadInput(f"rule '{rule.name}' takes no flip probability; 'brsf' and 'frsf' do")
    if scale is None:
        return (
            rule if rule.signs is None else replace(rule, signs=replace(rule.signs, flip_probability=flip_probability))
        )
    if scale not in SCALES:
        raise unknown("feedback scale", scale, SCALES)
    if rule.signs is None:
        raise BadInput(f"rule '{rule.name}' takes no feedback scale; 'usf', 'nusf', 'brsf' and 'frsf' do")
    if scale == "sign-symmetry" and random:
        raise BadInput(f"feedback scale 'sign-symmetry' is that of uniform feedback: rule 'usf', not '{rule.name}'")
    return replace(rule, signs=replace(rule.signs, flip_probability=flip_probability, scale=scale))


def effective_order(rule: Rule, order: str) -> str:
    """The order that `rule` runs in: one of `ORDERS`, but always ``before_update`` where no gate changes R.

    Back-propagation passes through W as it was, feedback from signs is made anew after the update is done, and what
    comes straight from the output passes none of the weights that change.
    """
    if order not in ORDERS:
        raise unknown("order", order, ORDERS)
    return order if rule.R_takes_increments else "before_update"


def why_before_update(rule: Rule) -> str:
    """What makes a rule run in that order alone, in words; empty where it runs in both."""
    if rule.symmetric:
        return "feeds back through W"
    if rule.signs:
        return "makes R anew from W"
    return "" if rule.R_takes_increments else "feeds back past all weights that change"
