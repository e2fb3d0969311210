"""An operator's run config, read and checked without a host."""
