"""The same protection for services without a host: openai, httpx and httpx2 clients, and ASGI middleware."""
