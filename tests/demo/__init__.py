"""Tests of `extra-headers demo`: its output, its end, and its errors."""
