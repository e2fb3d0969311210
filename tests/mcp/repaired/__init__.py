"""What OGX 1.5 lacks: its endpoint that lists tools answers 500, because the API behind it does not know the tools."""
