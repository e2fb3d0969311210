"""A provider that records, a real server in front of it, and a story of requests through both."""
