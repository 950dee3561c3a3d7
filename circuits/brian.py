"""The two circuits of Appendix 1 as Brian2 rate equations, and delayed coupling, for a user's own `brian2.Network`."""

from circuits.brian_circuit import COUPLINGS, BrianCircuit, InputVariable
from circuits.brian_coupling import DelayedCoupling
from circuits.brian_delay import LevelSignal, ring_buffer
from circuits.brian_output_error import OutputErrorCircuit
from circuits.brian_shutdown import FeedbackShutdownCircuit

__all__ = [
    "COUPLINGS",
    "BrianCircuit",
    "DelayedCoupling",
    "FeedbackShutdownCircuit",
    "InputVariable",
    "LevelSignal",
    "OutputErrorCircuit",
    "ring_buffer",
]
