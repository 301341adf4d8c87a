"""Benchmarks, run by `make benchmark` and not by pytest. See docs/performance.md."""
