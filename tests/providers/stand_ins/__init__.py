"""Stand-ins for SDKs that are too large to install for the tests; put on the server's path, not on the tests' own."""
