"""The network as a circuit, event by event, compiled."""
