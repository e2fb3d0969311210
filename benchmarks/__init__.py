"""Benchmarks: each prints a ratio against something that a reader knows, measured side by side in one run."""
