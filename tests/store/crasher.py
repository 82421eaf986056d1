"""Writes pictures and runs until it is killed, and says each time what it was promised.

A nursery: it imports everything once, then forks one writer per line on stdin ("COUNT SECONDS"), kills it with SIGKILL that
long after it acknowledged COUNT things, and answers with the lines that the writer had acknowledged, and an empty line.
"""

from __future__ import annotations

import asyncio
import io
import os
import random
import signal
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from PIL import Image

from sidecar.model import Level, Picture, PictureState, Run, RunState, Target
from sidecar.store import Blobs, State


async def write(root: Path, out: int) -> None:
    chance = random.Random(os.getpid())
    state, blobs = await State.open(root / "state.db"), Blobs(root / "blobs")
    if state.problems:
        os.write(out, b"DAMAGED\n")
    await state.interrupted()
    while True:
        name = f"{time.time_ns():020}-{os.getpid()}"
        run = Run(id=name, state=RunState.RENDERING, reason="edit", started=datetime.now(UTC))
        for number in range(3):
            target = Target(rating_key=number, level=Level.MOVIE, library="Movies", section=1, title=f"Film {number}")
            stream = io.BytesIO()
            Image.frombytes("RGB", (80, 120), chance.randbytes(80 * 120 * 3)).save(stream, "PNG")
            blob = await blobs.put(stream.getvalue())
            run = replace(run, pictures=(*run.pictures, Picture(target=target, state=PictureState.RENDERED, after=blob)))
            await state.save_run(run)
            os.write(out, f"{name} rendering {len(run.pictures)}\n".encode())
        await state.save_run(replace(run, state=RunState.DONE))
        os.write(out, f"{name} done {len(run.pictures)}\n".encode())
        letter = await state.enqueue("webhook", {"run": name})
        os.write(out, f"{letter} letter 0\n".encode())


def main() -> None:
    root = Path(sys.argv[1])
    for line in sys.stdin:
        read_end, write_end = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(read_end)
            try:
                asyncio.run(write(root, write_end))
            finally:
                os._exit(1)
        os.close(write_end)
        count, seconds = line.split()
        with os.fdopen(read_end, "rb") as pipe:
            told = b"".join(pipe.readline() for _ in range(int(count)))
            time.sleep(float(seconds))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            sys.stdout.write((told + pipe.read()).decode() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
