"""The command line: check, explain, blocklist, schema, and the generated references."""
