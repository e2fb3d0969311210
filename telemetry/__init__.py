"""What happened to the extra headers, for operators: metrics, spans and the audit log, never a value."""
