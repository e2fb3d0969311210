"""The same protection for services of their own: openai, httpx and httpx2 clients, and ASGI middleware."""
