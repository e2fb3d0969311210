"""A coverage-guided fuzz target over the envelope and the policy."""
