"""Which tests run in one worker: those of a file, and the files of a folder that share a server.

Each worker that runs one of the latter starts that server anew, for 5 to 11 s of processor time.
"""

from collections.abc import Mapping

import pytest
from xdist.scheduler.loadscope import LoadScopeScheduling  # type: ignore[import-untyped]

WITHOUT_THE_SHARED_SERVER: Mapping[str, frozenset[str]] = {
    "tests/mcp": frozenset({"start_up", "table"}),
    "tests/providers": frozenset({"new_adapters", "state", "unsupported"}),
    "tests/server": frozenset({"identity_headers", "in_process", "proposal", "start_up"}),
}
"""The folders whose files share a server, each with its files that need another one or none."""


def unit(node_id: str) -> str:
    """Return the folder of a test whose server is shared, else its file."""
    path = node_id.partition("::")[0]
    folder, _, file = path.rpartition("/")
    others = WITHOUT_THE_SHARED_SERVER.get(folder)
    alone = others is None or file.removeprefix("test_").removesuffix(".py") in others
    return path if alone else folder


def is_folder(node_id: str) -> bool:
    """Whether the test belongs to a unit of several files."""
    return not unit(node_id).endswith(".py")


class ByServer(LoadScopeScheduling):  # type: ignore[misc]
    """Gives each unit to one worker."""

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid)


def scheduler(config: pytest.Config, log: object) -> ByServer | None:
    """Return the scheduler for `--dist loadfile`; None for other ways to distribute tests."""
    return ByServer(config, log) if config.getvalue("dist") == "loadfile" else None
