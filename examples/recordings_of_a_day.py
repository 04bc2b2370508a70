"""Download the recordings and voicemails of a day: yesterday's, unless you name another one.

    ziwo simulate                                              # in one terminal; it prints the three variables
    python examples/recordings_of_a_day.py                     # in another one; into recordings/<day>
    python examples/recordings_of_a_day.py 2026-01-31 archive  # that day, into the folder archive

The user must be an admin. Run it as often as you like: what is there already is left alone, and a download that broke
off goes on where it stopped. The exit code is 1 when something could not be downloaded.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from ziwo_async import Cdr, RecordingNotReady, ZiwoClient, ZiwoError

SOUNDS = {".mp3", ".wav", ".ogg"}


def names_in(folder: Path) -> set[str]:
    """What was downloaded before: the files are named by the calls' ids."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return {path.stem for path in folder.iterdir() if path.suffix in SOUNDS}


async def download(ziwo: ZiwoClient, cdr: Cdr, call_id: str, folder: Path) -> bool:
    """Download one. Gives False when there should be a recording, and we could not get it."""
    source = ziwo.voicemails if cdr.voicemail else ziwo.recordings
    what = f"{cdr.start} {cdr.direction} {cdr.customer_number or '-'}"
    try:
        # The call is long over: whoever waits for a recording now waits in vain.
        recording = await source.download(call_id, folder, wait=0)
    except RecordingNotReady:
        print(f"{what}: no recording", flush=True)
    except (ZiwoError, OSError) as error:
        print(f"{what}: {error}", file=sys.stderr, flush=True)
        return False
    else:
        print(f"{what}: {recording.path.name}, {recording.size / 1024:.0f} KiB", flush=True)
    return True


async def main(day: date, folder: Path) -> int:
    # Moments, not days: ZIWO does not say in which time zone it reads a day. Here it is a day in UTC.
    begin = datetime.combine(day, time(), UTC)
    async with ZiwoClient.from_env() as ziwo:
        done = names_in(folder)
        good = True
        async for cdr in ziwo.calls.history(begin, begin + timedelta(days=1)):
            if cdr.call_id is None or cdr.call_id in done or not (cdr.answered or cdr.voicemail):
                continue
            good = await download(ziwo, cdr, cdr.call_id, folder) and good
    return 0 if good else 1


if __name__ == "__main__":
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    parser = argparse.ArgumentParser(description="Download the recordings of a day.")
    parser.add_argument("day", nargs="?", type=date.fromisoformat, default=yesterday, help="YYYY-MM-DD, in UTC")
    parser.add_argument("folder", nargs="?", type=Path, help="recordings/<day> by default")
    arguments = parser.parse_args()
    raise SystemExit(asyncio.run(main(arguments.day, arguments.folder or Path("recordings", f"{arguments.day}"))))
