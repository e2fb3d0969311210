"""`make bench`: one table of what the add-on costs, side by side with what a server does without it."""

import os
import sys

from benchmarks import (
    against_litellm,
    cost_of_a_request,
    instructions,
    litellm_proxy,
    many_providers,
    nothing_to_forward,
    server_instructions,
    start_up,
    throughput,
    whole_server,
)
from benchmarks.sidebyside import heading, table


def main() -> None:
    """Measure and print; names of parts as arguments measure these alone."""
    parts = (
        cost_of_a_request,
        nothing_to_forward,
        instructions,
        against_litellm,
        start_up,
        many_providers,
        whole_server,
        throughput,
        server_instructions,
        litellm_proxy,
    )
    wanted = [part for part in parts if part.__name__.rpartition(".")[2] in sys.argv[1:] or not sys.argv[1:]]
    print(heading(), flush=True)
    rows = []
    for part in wanted:
        print(f"measuring {part.__name__.rpartition('.')[2].replace('_', ' ')}", file=sys.stderr, flush=True)
        rows += part.rows()
    print(table(rows))
    print(f"load {os.getloadavg()[0]:.1f} at the end")


if __name__ == "__main__":
    main()
