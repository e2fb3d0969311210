"""What happened to the extra headers, for operators: Prometheus counters and span attributes, never a value."""
