"""What is imported when: aiortc costs a quarter of a second, and comes only when an engine is made."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ziwo_async import BadArgument
from ziwo_async.media import AiortcMedia

HEAVY = "{'aiortc', 'aioice', 'av', 'pylibsrtp', 'OpenSSL', 'numpy'}"


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60).stdout


@pytest.mark.parametrize(
    "statement",
    [
        "import ziwo_async",
        "import ziwo_async.client",
        "import ziwo_async.media",
        "from ziwo_async.media import AiortcMedia, AudioFrame, Tone, VoiceActivity",
        "from ziwo_async import *",
        "import ziwo_async.phone.phone",
    ],
)
def test_nothing_heavy_is_imported(statement: str) -> None:
    assert run(f"import sys\n{statement}\nprint(sorted({HEAVY} & set(sys.modules)))").strip() == "[]"


def test_an_engine_imports_it() -> None:
    code = "import sys\nfrom ziwo_async.media import AiortcMedia\nAiortcMedia()\nprint('aiortc' in sys.modules)"
    assert run(code).strip() == "True"


@pytest.mark.parametrize("missing", ["aiortc", "av"])
def test_without_the_extra_the_error_names_it(missing: str) -> None:
    code = (
        f"import sys\nsys.modules[{missing!r}] = None\n"
        "from ziwo_async import ConfigError\nfrom ziwo_async.media import AiortcMedia\n"
        "try:\n    AiortcMedia()\nexcept ConfigError as error:\n    print(error)"
    )
    assert 'pip install "ziwo_async[media]"' in run(code)


def test_times_have_to_be_above_zero() -> None:
    with pytest.raises(BadArgument):
        AiortcMedia(gather_limit=0)
    with pytest.raises(BadArgument):
        AiortcMedia(watch_after=-1)


def test_names_that_are_not_there_are_an_attribute_error() -> None:
    import ziwo_async.media

    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = ziwo_async.media.Nothing
    assert set(ziwo_async.media.__all__) <= set(dir(ziwo_async.media))
