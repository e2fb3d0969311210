"""The command line: check, explain, schema, completion, and the configuration reference."""
