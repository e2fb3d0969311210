"""`python -m extra_headers.forwarding` is the command `extra-headers`."""

from .cli import main

main()
