"""The OGX and llama-stack host: its provider specs with `extra_headers`, and headers on its outbound calls."""
