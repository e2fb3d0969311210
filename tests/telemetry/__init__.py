"""Tests of the telemetry: what is emitted, what is not, and that nothing of it costs a request."""
