"""A file is found by what an export calls it, on whatever machine that was; a doubt finds none."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biobench.data.exports.locating import Files, is_remote

NAMES = [
    "site a/IMG_1.JPG",
    "site b/img_1.jpg",
    "x/4711.jpg",
    "4712_1.jpg",
    "4712_2.jpg",
    "s/ü.png",
]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("site a/IMG_1.JPG", "site a/IMG_1.JPG"),
        ("SITE A\\img_1.jpg", "site a/IMG_1.JPG"),
        ("D:\\Traps\\site b\\IMG_1.JPG", "site b/img_1.jpg"),
        ("/mnt/traps/x/4711.JPG", "x/4711.jpg"),
        ("4711.jpg", "x/4711.jpg"),
        ("./x/4711.jpg", "x/4711.jpg"),
        ("file:///data/x/4711.jpg", "x/4711.jpg"),
        ("https://example.org/a/s/%C3%BC.png?size=large", "s/ü.png"),
        ("https://example.org/a/4711.jpg", "x/4711.jpg"),
        ("https://example.org/a/IMG_1.JPG", None),
        ("gs://bucket/deployment/4712_1.jpg", "4712_1.jpg"),
        # Either could be meant.
        ("IMG_1.JPG", None),
        ("site c/IMG_1.JPG", None),
        ("711.jpg", None),
        ("", None),
    ],
)
def test_a_path_finds_the_one_file_that_it_may_mean(path, found):
    assert Files(NAMES).find(path) == found


def test_an_id_finds_the_files_that_are_called_by_it():
    files = Files([*NAMES, "4713/a.jpg", "4713/b.jpg", "47135.jpg", "4714 (1).jpg", "4714-2.jpg"])
    assert files.find_id("4711") == ["x/4711.jpg"]
    assert files.find_id("4712") == ["4712_1.jpg", "4712_2.jpg"]
    assert files.find_id("4713") == ["4713/a.jpg", "4713/b.jpg"]
    assert files.find_id("4714") == ["4714 (1).jpg", "4714-2.jpg"]
    assert files.find_id("471") == []


part = st.text("ab", min_size=1, max_size=2)
paths = st.lists(part, min_size=1, max_size=3).map("/".join)


@settings(max_examples=200, deadline=None)
@given(st.sets(paths, min_size=1, max_size=8), paths)
def test_what_is_found_shares_an_end_and_no_other_file_shares_as_much(names, path):
    found = Files(names).find(path)
    if path in names:
        assert found == path
        return

    def fit(name):
        one, other = name.split("/"), path.split("/")
        n = min(len(one), len(other))
        return n if one[-n:] == other[-n:] else 0

    fits = {name: fit(name) for name in names}
    best = [name for name, n in fits.items() if n and n == max(fits.values())]
    assert found == (best[0] if len(best) == 1 else None)


def test_addresses_are_told_from_paths():
    assert all(map(is_remote, ("https://a/b", "gs://a/b", "HTTP://a", "s3://a/b")))
    assert not any(map(is_remote, ("a/b", "C:\\a", "/a/b", "file:///a", "a:b")))
