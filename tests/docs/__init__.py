"""Tests of the documentation: what it says is run, and where it points to is there."""
