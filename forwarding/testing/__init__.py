"""A recording provider, an OTLP receiver and server processes: for tests, examples and the demo."""
