"""What is seen of a picture is what Pillow, hashlib and ImageHash say of its file."""

import hashlib

import imagehash
import numpy as np
from PIL import Image

import worlds
from biobench.data import contents, looking


def write(folder, n=6):
    names = []
    for i in range(n):
        names.append(f"{i}.png")
        worlds.draw(folder / names[-1], i, i, size=(40 + i, 33))
    Image.new("RGB", (50, 50), (9, 9, 12)).save(folder / "plain.png")
    (folder / "cut.png").write_bytes((folder / "0.png").read_bytes()[:200])
    (folder / "empty.png").touch()
    return [*names, "plain.png", "cut.png", "empty.png", "gone.png"]


def test_content_size_and_hash_of_each_picture_are_those_of_its_file(tmp_path):
    names = write(tmp_path)
    looked = looking.look(tmp_path, names).rows_by_key("image", named=True, unique=True)
    assert list(looked) == names
    for name in names[:6]:
        with Image.open(tmp_path / name) as image:
            expected = str(imagehash.phash(image))
            assert (looked[name]["width"], looked[name]["height"]) == image.size
        # Resized once more or less, a bit may fall to the other side of the median.
        apart = looked[name]["print"] ^ int(expected, 16)
        assert apart.bit_count() <= 2, name
        digest = hashlib.sha256((tmp_path / name).read_bytes()).digest()
        assert looked[name]["hash"] == digest[: contents.HASH_BYTES]
        assert looked[name]["reason"] is None
    assert looked["plain.png"]["print"] is None and looked["plain.png"]["width"] == 50
    assert looked["cut.png"]["hash"] and "damaged" in looked["cut.png"]["reason"]
    assert looked["empty.png"]["reason"] == "the file is empty"
    assert looked["gone.png"]["hash"] is None and looked["gone.png"]["reason"] == "no such file"


def test_several_processes_see_what_one_sees(tmp_path, monkeypatch):
    names = write(tmp_path)
    monkeypatch.setattr(looking, "CHUNK", 2)
    one = looking.look(tmp_path, names, n_jobs=1)
    assert one.equals(looking.look(tmp_path, names, n_jobs=2))


def test_what_was_read_is_known_afterwards(tmp_path):
    names = write(tmp_path)[:6]
    looked = looking.look(tmp_path, names)
    known = contents.lookup(tmp_path, names)
    assert known.unknown == [] and known.hashes.to_list() == looked["hash"].to_list()


def test_a_plain_picture_has_no_hash_however_noisy_its_sensor(tmp_path):
    noise = np.random.default_rng(0).integers(0, 4, (60, 60, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "night.png")
    assert looking.look(tmp_path, ["night.png"])["print"].to_list() == [None]
