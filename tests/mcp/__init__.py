"""Headers for MCP servers: the tool runtime and Responses, on real servers of both hosts."""
