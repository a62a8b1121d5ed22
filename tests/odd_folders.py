"""A corpus of odd folders, made by code: each writer puts one oddity below `root`.

`expect_files` counts what a listing must account for: every file, and every folder it must not
enter.
"""

import os
import pathlib
import socket

from PIL import Image


def picture(path: pathlib.Path, colour=(200, 60, 40)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (12, 10), colour).save(path)


def plain(root):
    for k, name in enumerate(("ants", "bees")):
        for i in range(4):
            picture(root / name / f"{i}.png", (60 * k, 50 * i, 90))


def latest(root):
    """`ln -s . latest`: the pictures again and again."""
    plain(root)
    (root / "latest").symlink_to(".")
    (root / "ants" / "up").symlink_to("..")


def loop(root):
    """Two folders that lead into each other, and links to themselves."""
    plain(root)
    (root / "ants" / "to-bees").symlink_to("../bees")
    (root / "bees" / "to-ants").symlink_to("../ants")
    (root / "self").symlink_to("self")
    (root / "ants" / "self.png").symlink_to("self.png")


def dangling(root):
    plain(root)
    (root / "ants" / "gone.png").symlink_to("nowhere.png")
    (root / "wasps").symlink_to("nowhere")


def special(root):
    """A pipe, a socket and a device under names of pictures."""
    plain(root)
    os.mkfifo(root / "ants" / "pipe.png")
    (root / "bees" / "zero.png").symlink_to("/dev/zero")
    here = os.getcwd()
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(root / "bees")
        try:
            server.bind("socket.jpg")
        finally:
            os.chdir(here)


def names(root):
    """Names that are not UTF-8, that hold newlines, spaces, escapes, and no stem."""
    plain(root)
    with open(os.fsencode(root / "ants") + b"/caf\xe9.png", "wb") as file:
        file.write((root / "ants" / "0.png").read_bytes())
    os.mkdir(os.fsencode(root) + b"/\xff\xfe")
    for name in (
        "two\nlines.png",
        " space .png",
        "\x1b[31mred.png",
        "a,b\"c'.png",
        "ΑΒΓ.PNG",
        ".png",
    ):
        picture(root / "bees" / name) if not name.startswith(".") else (
            root / "bees" / name
        ).write_bytes(b"-")


def others(root):
    plain(root)
    for name in ("notes.txt", "Thumbs.db", "raw.CR2", "noext", "ants/list.csv", ".DS_Store"):
        (root / name).write_bytes(b"-")
    (root / ".git").mkdir()
    (root / ".git" / "HEAD").write_text("-")
    (root / "empty").mkdir()


def linked_splits(root):
    """Splits of links to classes that lie beside them."""
    plain(root / "pool")
    for split, name in (("train", "ants"), ("test", "bees")):
        (root / split).mkdir()
        (root / split / name).symlink_to(f"../pool/{name}")
    picture(root / "train" / "bees" / "1.png")
    picture(root / "test" / "ants" / "1.png")


def outside(root):
    """A class that lies elsewhere, linked to twice."""
    plain(root)
    elsewhere = root.parent / f"{root.name}-elsewhere"
    picture(elsewhere / "9.png")
    (root / "wasps").symlink_to(elsewhere)
    (root / "wasps2").symlink_to(elsewhere)


WRITERS = {
    writer.__name__: writer
    for writer in (
        plain,
        latest,
        loop,
        dangling,
        special,
        names,
        others,
        linked_splits,
        outside,
    )
}


def expect_files(root: pathlib.Path) -> int:
    """By `find` alone: everything that is not a folder in person, hidden folders not entered; and
    the folders that a listing may not enter because their name is hidden or not UTF-8."""
    n = 0
    for folder, folders, files in os.walk(os.fsencode(root), followlinks=False):
        n += len(files)
        for name in list(folders):
            path = os.path.join(folder, name)
            closed = name.startswith(b".")
            try:
                name.decode()
            except UnicodeDecodeError:
                closed = True
            if closed or os.path.islink(path):
                n += 1
                folders.remove(name)
    return n
