"""Embeds in processes of their own, that can be killed and start at once.

    with Nursery() as nursery:
        pid = nursery.start("embed", root, images, cache_root)
        os.kill(pid, signal.SIGKILL)
        assert nursery.wait(pid) == -signal.SIGKILL

The children are forks of a process that has imported everything and run nothing; forks of the test
itself would hang, because polars' threads do not survive one.
"""

import json
import os
import pathlib
import resource
import subprocess
import sys
import time

import tiny_backbones
from biobench.data.crops import Crop
from biobench.errors import CellFailed
from biobench.features import BackboneSource, EmbedOptions

HERE = str(pathlib.Path(__file__).parent)
SHARD_ROWS = 8


class Counting(tiny_backbones.TinyConv):
    """Writes down how many images it was given, where a kill cannot take it back, and is slow."""

    def __init__(self, log: pathlib.Path):
        super().__init__()
        self.log = log

    def img_encode(self, batch):
        time.sleep(0.003)
        with self.log.open("a") as file:
            file.write(f"{len(batch)}\n")
        return super().img_encode(batch)

    def count(self) -> int:
        return sum(map(int, self.log.read_text().split())) if self.log.exists() else 0


def embed(root, images, cache_root, n_workers=0, shard_rows=SHARD_ROWS, backbone=None):
    """Features by a `Counting` backbone, whose log lies beside the cache."""
    root, cache_root = pathlib.Path(root), pathlib.Path(cache_root)
    options = EmbedOptions(
        device="cpu", n_workers=n_workers, cache_root=cache_root, shard_rows=shard_rows
    )
    backbone = backbone or Counting(cache_root.parent / f"{cache_root.name}.log")
    return BackboneSource(backbone, options)(root, images)


def embed_parts(root, parts, cache_root):
    """Features of parts of pictures, (image, box, shape, margin) each, by a `Counting` backbone."""
    crops = [Crop(image, tuple(box), shape, margin) for image, box, shape, margin in parts]
    cache_root = pathlib.Path(cache_root)
    options = EmbedOptions(device="cpu", n_workers=0, cache_root=cache_root, shard_rows=SHARD_ROWS)
    source = BackboneSource(Counting(cache_root.parent / f"{cache_root.name}.log"), options)
    by_name = {crop.name: crop for crop in crops}
    return source(pathlib.Path(root), list(by_name), by_name)


def embed_with_small_files(message, limit, *args):
    """Embed where no file may grow beyond `limit` bytes; the error's text goes to `message`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        embed(*args)
    except CellFailed as err:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        pathlib.Path(message).write_text(str(err))


class Nursery:
    """Starts children, each running one function of this module."""

    def __enter__(self):
        self._process = subprocess.Popen(
            # Imported, not run: a class of __main__ would have another name, and another key.
            [sys.executable, "-c", "import embedding_children as e; e.serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join([HERE, os.environ.get("PYTHONPATH", "")]),
            },
        )
        return self

    def __exit__(self, *_):
        self._process.communicate()

    def start(self, function: str, *args) -> int:
        """The child's process id."""
        return self._ask(function, os.environ["BIOBENCH_CACHE"], *args)

    def wait(self, pid: int) -> int:
        """The child's exit code, negative if a signal ended it."""
        return self._ask("wait", pid)

    def _ask(self, *request) -> int:
        self._process.stdin.write(json.dumps(request, default=str) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


def serve() -> None:
    """Read requests from standard input, answer each with a number."""
    import pyarrow as pa

    import biobench.features.backbone_source  # noqa: F401

    # Imports pandas where it is installed, which would cost every child a second.
    pa.array(["x"])
    for line in sys.stdin:
        function, *args = json.loads(line)
        if function == "wait":
            _, status = os.waitpid(args[0], 0)
            print(os.waitstatus_to_exitcode(status), flush=True)
            continue
        pid = os.fork()
        if pid == 0:
            os.dup2(2, 1)
            os.environ["BIOBENCH_CACHE"], *args = args
            globals()[function](*args)
            os._exit(0)
        print(pid, flush=True)
