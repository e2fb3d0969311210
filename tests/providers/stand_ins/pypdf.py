"""Reads PDF files; nothing here needs it. The host imports it beside its vector stores."""

PdfReader = None
