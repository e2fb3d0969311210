"""Tests against a real server process of the host and an upstream that records bytes off the socket."""
