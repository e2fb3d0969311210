"""Every provider type and every endpoint of both hosts: what reaches the provider is looked at byte by byte."""
