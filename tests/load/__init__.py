"""Load: what stays exact, and what stays flat, while a real server is busy for minutes."""
