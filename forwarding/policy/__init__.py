"""May this header pass? Settings, blocklist and decisions: pure, without I/O, clock, logger, host or telemetry."""
