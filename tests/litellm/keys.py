"""The virtual keys of the tests, and whom each belongs to."""

from typing import Any

MASTER_KEY = "sk-the-master-key"
ALICE, BOB, NOBODY = "sk-alice-4821", "sk-bob-9034", "sk-nobody-1157"
USERS: dict[str, dict[str, Any]] = {
    MASTER_KEY: {"user_id": "admin"},
    ALICE: {
        "user_id": "alice",
        "team_id": "red",
        "key_alias": "alice-laptop",
        "metadata": {"cost-center": "4711", "key_alias": "spoofed"},
    },
    BOB: {"user_id": "bob", "team_id": "blue"},
    NOBODY: {},
}
