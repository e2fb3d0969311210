"""Stub servers that record what they receive, and real servers as processes: for tests, examples and the demo.

Every server is a context manager on loopback. docs/testing.md shows how to test a policy with them.
"""
