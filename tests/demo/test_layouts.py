"""Each data set's tables, read as its loader would, name exactly the files that the units draw."""

import collections
import io
import itertools
import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biobench.demo import iwildcam, kabr, newt, plantnet
from biobench.demo.layout import long_tail, picture_id


def read_table(layout, name: str, separator: str = ",") -> pl.DataFrame:
    lines = dict(layout.tables())[name]
    text = "\n".join(lines) + "\n"
    return pl.read_csv(io.StringIO(text), separator=separator, infer_schema_length=None)


def test_newt_has_the_published_columns_and_balanced_tasks():
    layout = newt.Newt(newt.SMALL, 0)
    table = read_table(layout, "newt2021_labels.csv")
    assert table.columns == [
        "id", "task_cluster", "task_subcluster", "task", "label", "text_label", "split", "height",
        "width",
    ]  # fmt: skip
    assert table["id"].n_unique() == table.height == layout.counts()["images"]
    for (_, split), rows in table.group_by("task", "split"):
        assert rows["label"].mean() == 0.5, split
        assert rows["task_cluster"].n_unique() == 1
        assert rows["text_label"].n_unique() == 2


def test_newt_covers_the_clusters_with_several_tasks_and_some_without_subcluster():
    table = read_table(newt.Newt(newt.SMALL, 0), "newt2021_labels.csv")
    tasks = table.unique("task")
    clusters = set(tasks["task_cluster"])
    assert {"appearance", "behavior", "context", "counting", "gestalt"} <= clusters
    per_cluster = collections.Counter(tasks["task_cluster"])
    assert sum(count > 1 for count in per_cluster.values()) >= 4
    assert 0 < tasks["task_subcluster"].null_count() < tasks.height


def test_newt_at_full_size_has_164_tasks_of_different_names():
    table = read_table(newt.Newt(newt.NewtScale(164, 2, 2), 0), "newt2021_labels.csv")
    assert table["task"].n_unique() == 164


def test_newt_sizes_do_not_tell_the_label():
    table = read_table(newt.Newt(newt.NewtScale(2, 16, 16), 0), "newt2021_labels.csv")
    sizes = table.group_by("label", "height", "width").len().sort("height", "width", "label")
    by_label = sizes.partition_by("label", include_key=False)
    assert len(by_label) == 2 and by_label[0].height > 1
    assert by_label[0].equals(by_label[1])


def test_newt_pictures_have_the_size_in_the_table():
    from PIL import Image

    layout = newt.Newt(newt.NewtScale(14, 2, 2), 5)
    sizes = {
        row["id"]: (row["width"], row["height"])
        for row in read_table(layout, "newt2021_labels.csv").iter_rows(named=True)
    }
    drawn = {}
    for unit in layout.units():
        for path, picture in unit.draw():
            name = path.removeprefix("newt2021_images/").removesuffix(".jpg")
            drawn[name] = Image.open(io.BytesIO(picture)).size
    assert drawn == sizes


def test_kabr_is_in_charades_form_with_frames_counted_from_one():
    layout = kabr.Kabr(kabr.SMALL, 0)
    classes = json.loads("".join(dict(layout.tables())["annotation/classes.json"]))
    for split in ("train", "val"):
        table = read_table(layout, f"annotation/{split}.csv", separator=" ")
        assert table.columns == ["original_vido_id", "video_id", "frame_id", "path", "labels"]
        assert set(table["labels"]) == set(classes.values())
        for _, clip in table.group_by("video_id"):
            assert clip.height >= 16
            assert clip["frame_id"].to_list() == list(range(1, clip.height + 1))
            assert clip["labels"].n_unique() == clip["original_vido_id"].n_unique() == 1
        assert table["path"].n_unique() == table.height


def test_kabr_splits_share_no_video_and_some_videos_have_several_clips():
    layout = kabr.Kabr(kabr.SMALL, 0)
    videos = collections.defaultdict(set)
    clips = collections.Counter()
    for clip in layout.clips():
        videos[clip.split].add(clip.video)
        clips[clip.video] += 1
    assert videos["train"].isdisjoint(videos["val"])
    assert len(videos["val"]) >= 30
    assert max(clips.values()) > 1


def test_kabr_draws_the_frames_that_it_lists():
    layout = kabr.Kabr(kabr.KabrScale(2, 2, 3, 1.0), 1)
    listed = {
        "dataset/image/" + path
        for split in ("train", "val")
        for path in read_table(layout, f"annotation/{split}.csv", separator=" ")["path"]
    }
    frames = dict(pair for unit in layout.units() for pair in unit.draw())
    assert set(frames) == listed


def test_kabr_animals_move_from_one_picture_to_the_next():
    layout = kabr.Kabr(kabr.KabrScale(8, 8, 4, 1.0, repeat=2), 1)
    for unit in layout.units():
        if unit.clip.split == "train":
            pictures = [picture for _, picture in unit.draw()]
            assert pictures[0] == pictures[1]
            assert pictures[1] != pictures[2]


def test_iwildcam_has_unseen_cameras_in_val_and_test_and_seen_ones_in_the_id_splits():
    table = read_table(iwildcam.IWildCam(iwildcam.SMALL, 0), "iwildcam_v2.0/metadata.csv")
    cameras = {split: set(rows["location_remapped"]) for (split,), rows in table.group_by("split")}
    assert set(cameras) == {"train", "val", "test", "id_val", "id_test"}
    assert cameras["train"].isdisjoint(cameras["test"] | cameras["val"])
    assert cameras["val"].isdisjoint(cameras["test"])
    assert cameras["id_val"] | cameras["id_test"] <= cameras["train"]
    assert len(cameras["test"]) >= 30


def test_iwildcam_sequences_stay_in_one_camera_split_and_class():
    table = read_table(iwildcam.IWildCam(iwildcam.SMALL, 0), "iwildcam_v2.0/metadata.csv")
    assert table["filename"].n_unique() == table.height
    for _, rows in table.group_by("sequence_remapped"):
        for name in ("location_remapped", "split", "y"):
            assert rows[name].n_unique() == 1
    lengths = table.group_by("sequence_remapped").len()["len"]
    assert lengths.max() > 1


def test_iwildcam_has_empties_and_every_class_in_train_and_test():
    layout = iwildcam.IWildCam(iwildcam.SMALL, 0)
    table = read_table(layout, "iwildcam_v2.0/metadata.csv")
    for split in ("train", "test"):
        labels = table.filter(pl.col("split") == split)["y"]
        assert set(labels) == set(range(layout.counts()["classes"]))
        assert 0.1 < (labels == 0).mean() < 0.5


def test_iwildcam_draws_the_files_that_it_lists_and_says_which_release_it_imitates():
    layout = iwildcam.IWildCam(iwildcam.CamScale(3, 6, 2, 4, 1, 1, 2, 1, 2), 2)
    table = read_table(layout, "iwildcam_v2.0/metadata.csv")
    drawn = {path for unit in layout.units() for path, _ in unit.draw()}
    assert drawn == {"iwildcam_v2.0/train/" + name for name in table["filename"]}
    assert "iwildcam_v2.0/RELEASE_v2.0.txt" in dict(layout.tables())


def test_iwildcam_nights_are_grey():
    import numpy as np
    from PIL import Image

    layout = iwildcam.IWildCam(iwildcam.CamScale(3, 30, 1, 1, 1, 1, 3, 1, 1), 2)
    night = {layout.filename(b, 0): b.night for b in layout.bursts() if b.split == "train"}
    assert len(set(night.values())) == 2
    for unit in layout.units():
        for path, picture in unit.draw():
            name = path.rsplit("/", 1)[1]
            if name in night:
                pixels = np.asarray(Image.open(io.BytesIO(picture)), float)
                colour = np.abs(pixels - pixels.mean(axis=2, keepdims=True)).mean()
                assert (colour < 2) == night[name]


def test_plantnet_folders_are_species_with_a_long_tail():
    layout = plantnet.PlantNet(plantnet.SMALL, 0)
    train = collections.Counter(n for split, n, _ in layout.pictures() if split == "train")
    assert len(train) == plantnet.SMALL.species
    assert max(train.values()) >= 8 * min(train.values())
    val = collections.Counter(n for split, n, _ in layout.pictures() if split == "val")
    assert set(val) <= set(train)


def test_plantnet_json_files_know_every_picture_and_species():
    layout = plantnet.PlantNet(plantnet.PlantScale(4, 12, 8, 2), 1)
    files = {name: json.loads("\n".join(lines)) for name, lines in layout.tables()}
    metadata = files["plantnet300K_metadata.json"]
    names = files["plantnet300K_species_id_2_name.json"]
    drawn = {path for unit in layout.units() for path, _ in unit.draw()}
    assert drawn == {
        f"images/{entry['split']}/{entry['species_id']}/{key}.jpg"
        for key, entry in metadata.items()
    }
    assert {entry["species_id"] for entry in metadata.values()} == set(names)
    assert {"species_id", "obs_id", "organ", "author", "license", "split"} == set(
        next(iter(metadata.values()))
    )


def test_plantnet_species_ids_are_unique_at_full_size():
    layout = plantnet.PlantNet(plantnet.FULL, 0)
    assert len({layout.species_id(number) for number in range(1081)}) == 1081


@given(
    classes=st.integers(1, 60),
    minimum=st.integers(0, 4),
    spare=st.integers(0, 500),
    exponent=st.floats(0, 2),
)
def test_a_long_tail_adds_up_and_never_rises(classes, minimum, spare, exponent):
    total = classes * minimum + spare
    counts = long_tail(total, classes, exponent, minimum)
    assert sum(counts) == total
    assert len(counts) == classes
    assert min(counts) >= minimum
    assert all(a + 1 >= b for a, b in itertools.pairwise(counts))


def test_a_long_tail_that_is_too_short_is_refused():
    with pytest.raises(ValueError, match="too few"):
        long_tail(5, 3, 1.0, 2)


@given(st.integers(0, 2**31), st.text(max_size=5), st.text(max_size=5))
def test_picture_ids_differ_and_repeat(seed, a, b):
    assert picture_id(seed, a) == picture_id(seed, a)
    assert (picture_id(seed, a) == picture_id(seed, b)) == (a == b)
