"""Every file below a folder is a picture that is used, or is listed with the reason why not."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import odd_folders
from biobench import folder
from biobench.data import count_left_out, list_pictures
from biobench.errors import BadInput


@pytest.fixture(params=sorted(odd_folders.WRITERS))
def odd(request, tmp_path):
    root = tmp_path / request.param
    root.mkdir()
    odd_folders.WRITERS[request.param](root)
    return root


def count_links_entered(root, found):
    """Links to folders that were followed are neither files nor left out."""
    n = 0
    for path, folders, _ in os.walk(root):
        for name in folders:
            whole = os.path.join(path, name)
            relative = os.path.relpath(whole, root)
            if os.path.islink(whole) and any(x.startswith(f"{relative}/") for x in found.names):
                n += 1
    return n


def test_found_is_used_plus_listed(odd):
    found = list_pictures(odd)
    names = [*found.names, *(out.path for out in found.left_out)]
    assert len(set(names)) == len(names)
    inside = [name for name in found.names if not is_linked_from(odd, name)]
    assert len(inside) + len(found.left_out) + count_links_entered(odd, found) == (
        odd_folders.expect_files(odd)
    )
    assert all(out.reason for out in found.left_out)
    assert sum(count_left_out(found.left_out).values()) == len(found.left_out)


def is_linked_from(root, name):
    """Whether a picture was reached through a link to a folder outside."""
    return not (root / name).parent.resolve().is_relative_to(root.resolve())


def test_a_task_accounts_for_each_of_them_too(odd):
    found = list_pictures(odd)
    manifest = folder.load(folder.Args(datadir=str(odd), device="cpu"))
    images = manifest.images()
    assert len(images) + len(manifest.left_out) == len(found.names) + len(found.left_out)
    assert sum(manifest.dropped.values()) == len(manifest.left_out)
    real = [os.path.realpath(odd / image) for image in images]
    assert len(set(real)) == len(real)
    manifest.check_files()
    assert manifest.describe().isprintable()


def make(tmp_path, name):
    root = tmp_path / name
    root.mkdir()
    odd_folders.WRITERS[name](root)
    return root, {out.path: out.reason for out in list_pictures(root).left_out}


def test_each_real_folder_is_visited_once(tmp_path):
    root, left_out = make(tmp_path, "latest")
    assert len(list_pictures(root).names) == 8
    assert left_out == dict.fromkeys(
        ("latest", "ants/up"), "folders that are listed already under another name"
    )


def test_loops_and_links_to_themselves_end_in_a_reason(tmp_path):
    _, left_out = make(tmp_path, "loop")
    assert left_out["self"] == left_out["ants/self.png"] == "links to themselves"
    assert len(left_out) == 4


def test_a_dangling_link_costs_itself_only(tmp_path):
    root, left_out = make(tmp_path, "dangling")
    assert left_out == dict.fromkeys(("ants/gone.png", "wasps"), "dangling links")
    manifest = folder.load(folder.Args(datadir=str(root), device="cpu"))
    manifest.check_files()
    assert manifest.describe() == (
        "8 pictures in 2 classes; 2 left out: 2 dangling links (ants/gone.png, wasps)"
    )


def test_a_table_with_one_dangling_link_names_that_picture_only(tmp_path):
    odd_folders.dangling(tmp_path)
    rows = [f"ants/{name}.png,ant,train" for name in (0, 1, "gone")]
    rows += ["bees/0.png,bee,train", "bees/1.png,bee,test"]
    (tmp_path / "mine.csv").write_text("\n".join(["path,label,split", *rows]))
    with pytest.raises(BadInput, match=r"1 of its 5 pictures are not in .* \(ants/gone.png\)"):
        folder.load(folder.Args(datadir=str(tmp_path / "mine.csv"), device="cpu"))


def test_pipes_devices_and_sockets_are_listed(tmp_path):
    _, left_out = make(tmp_path, "special")
    assert left_out == dict.fromkeys(
        ("ants/pipe.png", "bees/socket.jpg", "bees/zero.png"), "pipes, devices or sockets"
    )


def test_names_that_are_not_utf_8_are_listed(tmp_path):
    root, left_out = make(tmp_path, "names")
    assert left_out["ants/caf\\xe9.png"] == left_out["\\xff\\xfe"] == "names that are not UTF-8"
    assert "bees/two\nlines.png" in list_pictures(root).names


def test_what_a_split_links_to_is_found_there(tmp_path):
    root, _ = make(tmp_path, "linked_splits")
    manifest = folder.load(folder.Args(datadir=str(root), device="cpu"))
    assert {"train/ants/0.png", "test/bees/0.png"} <= set(manifest.images())
    assert len(manifest.images()) == 10


def test_a_folder_linked_to_twice_counts_once(tmp_path):
    root, left_out = make(tmp_path, "outside")
    assert left_out == {"wasps2": "folders that are listed already under another name"}
    assert "wasps/9.png" in list_pictures(root).names


kinds = st.sampled_from(["png", "txt", "hidden", "dangling", "loop", "up", "fifo", "folder"])


@settings(max_examples=40, deadline=None)
@given(plan=st.lists(st.tuples(kinds, st.integers(0, 5)), max_size=12))
def test_any_tree_of_odd_things_is_accounted_for(plan, tmp_path_factory):
    root = tmp_path_factory.mktemp("tree")
    folders = [root]
    for i, (kind, where) in enumerate(plan):
        home = folders[where % len(folders)]
        if kind == "folder":
            folders.append(home / f"d{i}")
            folders[-1].mkdir()
        elif kind == "fifo":
            os.mkfifo(home / f"{i}.png")
        elif kind in ("dangling", "loop", "up"):
            target = {"dangling": "nowhere", "loop": f"{i}.jpg", "up": root}[kind]
            (home / f"{i}.jpg").symlink_to(target)
        else:
            (home / {"png": f"{i}.PNG", "txt": f"{i}.txt", "hidden": f".{i}.png"}[kind]).touch()
    found = list_pictures(root)
    assert len(found.names) + len(found.left_out) == sum(kind != "folder" for kind, _ in plan)
    assert len(found.names) == sum(kind == "png" for kind, _ in plan)
