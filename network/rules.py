"""Learning rules: which loss drives the output, and how the feedback weights R relate to W and change.

A rule is a value. No engine knows a rule by name: it reads these fields.

==========  =========  ==============================  ==========================================
rule        loss       feedback travels through        R changes by
==========  =========  ==============================  ==========================================
``bp``      softmax    W itself (weight transport)     there is no R
``bph``     hinge (4)  W itself (weight transport)     there is no R
``frfb``    hinge (4)  R, drawn independently of W     nothing: fixed random feedback
``urfb``    hinge (4)  R, drawn independently of W     the same Hebbian increment as W
==========  =========  ==============================  ==========================================
"""

from dataclasses import dataclass

from network.errors import BadInput, unknown

ORDERS = ("before_update", "after_update")


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
    """

    name: str
    loss: str
    symmetric: bool
    feedback_rate: float = 0.0
    feedback_decay: float = 0.0


RULES = {
    "bp": Rule("bp", loss="softmax", symmetric=True),
    "bph": Rule("bph", loss="hinge", symmetric=True),
    "frfb": Rule("frfb", loss="hinge", symmetric=False, feedback_rate=0.0),
    "urfb": Rule("urfb", loss="hinge", symmetric=False, feedback_rate=1.0),
}


def make_rule(name: str, feedback_rate: float | None = None, feedback_decay: float = 0.0) -> Rule:
    """A rule by name, with epsilon and lambda where the feedback weights learn.

    Raises
    ------
    BadInput
        For an unknown name, a value out of range, or an option that the rule has no use for.
    """
    if name not in RULES:
        raise unknown("rule", name, RULES)
    rule = RULES[name]
    if feedback_rate is None and feedback_decay == 0:
        return rule
    rate = rule.feedback_rate if feedback_rate is None else feedback_rate
    if rule.feedback_rate == 0 and (rate > 0 or feedback_decay > 0):
        why = "it feeds back through W" if rule.symmetric else "its feedback weights are fixed"
        raise BadInput(f"rule '{name}' takes no feedback rate or decay, {why}; 'urfb' takes both")
    if not 0 <= rate <= 1:
        raise BadInput(f"feedback rate {rate:g}: expected 0 (fixed feedback) to 1 (the same increment as W)")
    if not 0 <= feedback_decay < 1:
        raise BadInput(f"feedback decay {feedback_decay:g}: expected 0 <= decay < 1, the share lost with each update")
    if rate == 0 and feedback_decay > 0:
        raise BadInput("feedback decay with feedback rate 0 only makes R vanish; give a rate above 0, or no decay")
    return Rule(name, rule.loss, rule.symmetric, rate, feedback_decay)


def effective_order(rule: Rule, order: str) -> str:
    """The order that `rule` runs in: one of `ORDERS`, but always ``before_update`` where feedback goes through W."""
    if order not in ORDERS:
        raise unknown("order", order, ORDERS)
    return "before_update" if rule.symmetric else order
