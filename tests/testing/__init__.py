"""Tests of `extra_headers.forwarding.testing`: the servers that tests, examples and the demo run."""
