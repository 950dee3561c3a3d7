"""The network as a circuit in Brian2."""
