"""The `extra-headers` command."""
