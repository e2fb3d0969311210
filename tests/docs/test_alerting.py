"""docs/alerting.md, followed word for word: each step in the folder that the one before has left."""

from pathlib import Path

from tests.docs.test_blocks import BLOCKS, check_shell


def test_the_steps_in_their_order(tmp_path: Path) -> None:
    """A changed values file is taken up and kept by the second export."""
    of_page = [block for block in BLOCKS if block.page == "docs/alerting.md"]
    export, export_again = (block for block in of_page if block.language == "shell")
    (values,) = (block for block in of_page if block.language == "yaml")
    written = tmp_path / "monitoring" / "monitoring.yaml"

    check_shell(export, tmp_path)
    written.write_text(values.text, encoding="utf-8")
    check_shell(export_again, tmp_path)

    assert "genai-platform" in (tmp_path / "monitoring" / "prometheus" / "rules.yaml").read_text(encoding="utf-8")
    assert "floor: 50" in written.read_text(encoding="utf-8")
