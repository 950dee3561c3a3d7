"""What a network is: notation, layers, graph, weights, the trace of a presentation, and the reference algorithm."""

from network.errors import BadInput
from network.rules import RULES, Rule, make_rule
from network.spec import NetworkSpec, Node
from network.trace import StepTrace
from network.weights import Weights

__all__ = ["RULES", "BadInput", "NetworkSpec", "Node", "Rule", "StepTrace", "Weights", "make_rule"]
