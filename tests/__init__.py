"""Tests: the core by tables and laws, the rest against real servers and raw sockets."""
