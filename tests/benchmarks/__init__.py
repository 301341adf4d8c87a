"""What the portal costs: programs that measure it, run by `make benchmark` and not by pytest. docs/performance.md."""
