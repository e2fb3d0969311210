"""Tests against a real OGX server process and an upstream that records bytes off the socket."""
