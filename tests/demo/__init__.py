"""Tests of `extra-headers demo`: its story, its end, and what it says when something goes wrong."""
