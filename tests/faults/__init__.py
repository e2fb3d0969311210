"""Faults: what holds when a provider, a worker, a collector, a directory or a clock misbehaves."""
