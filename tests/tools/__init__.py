"""What the Makefile calls: set-up, rendering, the demo and the checks of values files."""
