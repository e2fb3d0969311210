"""What is different on llama-stack; all that both hosts share is tested in `tests/server`."""
