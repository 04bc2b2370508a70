"""The code blocks of README.md and docs/, each with the comment before it that says how it is tested.

The comment is the line before the fence: `<!-- test: KIND -->`, or `<!-- test: KIND; option: value; free words -->`.

- `program`: a complete program. It runs as a process of its own, with the environment of a simulated agent; a customer
  calls it once. It ends by itself, or by SIGINT, with exit code 0. `ends: N` wants another exit code,
  `quiet: yes` means that it takes no calls, `shows: TEXT` wants TEXT in its output. `needs: ...` as below, calls
  excepted.
- `fragment`: statements inside an `async` function in which these names are known: `ziwo` (a client whose phone is
  started as agent 5555, with the api_key), `router` (included by it), `world` (the contact centre), `agent` (agent 5555
  in it), `customer` (+97150000000), `log`, `here` (the working directory) and `Path`. `needs: WORD WORD` adds some of
  these:
    - `ringing` (an inbound call that rings), `call` (an active inbound call) and `second` (another one);
    - `history`: six calls that are over; `call_id` was answered and recorded, `voicemail_id` left a message, and
      `folder` is empty;
    - `customers`: the customer in the CRM;
    - `supervisor`: `ziwo` is agent 0011's, whose phone listens to agent 5555;
    - `media`: everything has sound, the client too, and there is a file `tip.wav`; customers speak. With `supervisor`,
      agent 5555 talks to the customer, and speaks. Such a block takes its time: keep them few;
    - `tracker`: a call tracker with the number `tracker_id`. All of these are made in `things.py`.
  `drive: inbound` lets the customer call meanwhile, hang up once the call was answered, and closes the phone after
  that. `then: EXPRESSION` must be true afterwards.
- `pytest`: a test file of a user, run by pytest with the plugin.
- `example`: a file of `examples/`, included whole; `tests/examples` runs it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KINDS = ("program", "fragment", "pytest", "example")
_FENCE = re.compile(r"^(?P<indent> *)```(?: \{ \.)?(?P<language>[a-z]*)(?P<rest>.*)$")
_COMMENT = re.compile(r"^ *<!-- test: (?P<kind>\w+)(?P<options>[^>]*?) -->$")


@dataclass(frozen=True)
class Block:
    path: Path
    line: int
    language: str
    code: str
    kind: str | None
    options: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(path: Path) -> list[Block]:
    found: list[Block] = []
    lines = path.read_text(encoding="utf-8").splitlines()
    at = 0
    while at < len(lines):
        fence = _FENCE.match(lines[at])
        if fence is None:
            at += 1
            continue
        indent = len(fence["indent"])
        start = at + 1
        at = start
        while lines[at].strip() != "```":
            at += 1
        code = "\n".join(line[indent:] for line in lines[start:at]) + "\n"
        comment = _COMMENT.match(lines[start - 2]) if start >= 2 else None
        parts = (part.partition(":") for part in (comment["options"] if comment else "").split(";"))
        options = {key.strip(): value.strip() for key, colon, value in parts if colon}
        kind = comment["kind"] if comment else None
        found.append(Block(path, start, fence["language"], code, kind, options))
        at += 1
    return found


def all_blocks() -> list[Block]:
    return [block for path in pages() for block in blocks(path)]
