"""Tests of `extra-headers watch`."""
