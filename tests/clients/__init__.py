"""The clients of a service without an OGX server: what they send, judged by the bytes that a provider receives."""
