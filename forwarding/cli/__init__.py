"""The `extra-headers` command; `app` contains its sub-commands."""

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit: 0 done, 1 failed, 2 wrong usage, 128 and the number for a signal.

    Args:
        arguments: of the command line; by default those of this process.

    """
    try:
        # Imported here, so that Ctrl-C while Python loads the libraries gives no traceback.
        from .app import run  # noqa: PLC0415 - see above

        run(arguments)
    except KeyboardInterrupt:
        sys.exit(130)
