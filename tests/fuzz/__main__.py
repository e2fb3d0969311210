"""Fuzz until the first fault: `python -m tests.fuzz FOLDER [option of libFuzzer ...]`, such as `-max_total_time=60`.

The folder keeps what was found to reach new code, so that the next run starts there, and the input of a fault, as
`crash-*`. `python -m tests.fuzz FOLDER FOLDER/crash-...` runs that input again. What a fault taught belongs into the
attack corpus, or among the settings in `seeds`. Where there is no atheris for this platform, the seeds alone are run.
"""

import importlib.util
import sys
from pathlib import Path
from typing import Any


def main(folder: Path, *options: str) -> None:
    """Run the target under the fuzzer; does not return."""
    if importlib.util.find_spec("atheris") is None:
        _run_seeds()
        return
    atheris: Any = importlib.import_module("atheris")  # not everywhere, and untyped
    with atheris.instrument_imports(include=["extra_headers", "json.decoder"]):
        from tests.fuzz.seeds import MAX_BYTES, write_dictionary, write_seeds  # noqa: PLC0415
        from tests.fuzz.target import check  # noqa: PLC0415

    found, seeds, dictionary = folder / "found", folder / "seeds", folder / "words.dict"
    found.mkdir(parents=True, exist_ok=True)
    write_seeds(seeds)
    write_dictionary(dictionary)
    inputs = [option for option in options if not option.startswith("-")] or [str(found), str(seeds)]
    settings = [f"-dict={dictionary}", f"-artifact_prefix={folder}/", f"-max_len={MAX_BYTES}", "-timeout=10"]
    given = [option for option in options if option.startswith("-")]
    atheris.Setup([sys.argv[0], *settings, *given, *inputs], check)
    atheris.Fuzz()


def _run_seeds() -> None:
    from tests.fuzz.seeds import seeds  # noqa: PLC0415
    from tests.fuzz.target import check  # noqa: PLC0415

    for data in seeds():
        check(data)
    print(f"no atheris for this platform: {len(seeds())} seeds were run, and nothing was fuzzed")  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
