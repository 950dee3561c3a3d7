"""One presentation through the circuit as a page to scrub through: recorded by the event engine, drawn in a browser."""
