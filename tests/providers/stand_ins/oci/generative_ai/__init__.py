"""The client of the control plane."""
