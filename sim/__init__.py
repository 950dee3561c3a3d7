"""What runs: engines, data, training, and the command line."""
