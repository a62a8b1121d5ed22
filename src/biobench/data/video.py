"""Frames of a part of a video, evenly spaced in time, as pictures in a folder.

    names = extract_frames(Path("full_videos/a.mp4"), 12.0, 30.5, 32, Path("frames/a_1"))

Needs PyAV (the extra `video`); no program has to be installed besides.
"""

import contextlib
import importlib.util
import itertools
import os
import pathlib
import shutil
from collections.abc import Iterator

from PIL import Image

__all__ = ["UndecodableVideo", "extract_frames", "has_decoder"]

QUALITY = 95


class UndecodableVideo(ValueError):
    """A video that cannot be used; the message is the reason, without the file's name."""


def has_decoder() -> bool:
    """Whether PyAV is installed."""
    return importlib.util.find_spec("av") is not None


def extract_frames(
    video: pathlib.Path, start: float, end: float, n: int, folder: pathlib.Path
) -> None:
    """Write `frame_01.jpg` … into `folder`, which is there whole or not at all.

    start, end: seconds; the part is cut into n equal pieces, and of each the frame at its middle is
        taken (the last one of the video where it ends before).
    A folder that is there already is left as it is. Raises UndecodableVideo.
    """
    if folder.is_dir():
        return
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        for number, image in enumerate(_pick(video, start, end, n), 1):
            image.save(temporary / f"frame_{number:02d}.jpg", quality=QUALITY)
        # Another process may have been faster: its frames are the same.
        with contextlib.suppress(OSError):
            temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _pick(video: pathlib.Path, start: float, end: float, n: int) -> Iterator[Image.Image]:
    times = [start + (i + 0.5) * (end - start) / n for i in range(n)]
    image = None
    frames = _decode(video, times[0])
    shown = next(frames, None)
    for time in times:
        # A frame is shown until the next one is.
        for following in frames:
            if following.time > time:
                frames = itertools.chain([following], frames)
                break
            shown = following
        if shown is None:
            raise UndecodableVideo("it has no frame there")
        image = shown.to_image()
        yield image


def _decode(video: pathlib.Path, start: float) -> Iterator:
    """The frames from the last key frame before `start` on."""
    import av
    import av.error

    try:
        with av.open(str(video)) as container:
            if not container.streams.video:
                raise UndecodableVideo("it has no pictures")
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            if start > 0 and stream.time_base:
                container.seek(int(start / stream.time_base), stream=stream)
            for frame in container.decode(stream):
                if frame.time is not None:
                    yield frame
    except (av.error.FFmpegError, OSError) as err:
        raise UndecodableVideo(f"damaged: {err}") from err
