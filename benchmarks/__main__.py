"""`make bench`: one table of what the add-on costs, side by side with what a server does without it."""

from benchmarks import cost_of_a_request, nothing_to_forward
from benchmarks.sidebyside import heading, table


def main() -> None:
    """Measure and print."""
    print(heading())
    print(table([*cost_of_a_request.rows(), *nothing_to_forward.rows()]))


if __name__ == "__main__":
    main()
