"""MammalNet on a small world, and its frames decoded from videos that the test writes."""

import json
import shutil

import av
import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import f1_score
from sklearn.neighbors import NearestCentroid
from sklearn.preprocessing import normalize

import suite_worlds
from biobench import mammalnet
from biobench.data.video import UndecodableVideo, extract_frames
from biobench.errors import BadInput
from suite_worlds import embed, fit_linear, get_predictions, get_truths, load, run

N = 32
pytestmark = [
    pytest.mark.filterwarnings("ignore:self.within_class_std_dev_"),
    pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore:The least populated class"),
]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return suite_worlds.draw(tmp_path_factory.mktemp("suite"), "mammalnet")


def read_clips(root, split):
    """Clip -> behaviour, of those that have 32 frames."""
    lines = (root / "annotation" / "composition" / f"{split}.csv").read_text().split("\n")
    named = [line.split(" ") for line in lines if line]
    clips = {path.split("/")[1].split(".")[0]: behaviour for path, behaviour, _ in named}
    return {c: b for c, b in clips.items() if len(list((root / "frames" / c).glob("*.jpg"))) == N}


def embed_clips(root, clips):
    names = [f"frames/{clip}/frame_{i:02d}.jpg" for clip in clips for i in range(1, N + 1)]
    return embed("mammalnet", root, names).reshape(len(clips), N, -1).mean(axis=1)


@pytest.mark.parametrize("probe", ["simpleshot", "linear"])
def test_a_clip_is_the_mean_of_its_frames_and_the_score_scikit_learn_s(root, probe):
    report = run("mammalnet", root, probe=probe)
    train, test = (read_clips(root, split) for split in ("train", "test"))
    x, z = embed_clips(root, train), embed_clips(root, test)
    y = np.array(list(train.values()))
    if probe == "simpleshot":
        nearest = NearestCentroid().fit(normalize(x - x.mean(axis=0)), y)
        expected = nearest.predict(normalize(z - x.mean(axis=0)))
    else:
        expected = fit_linear(x, y).predict(z)
    assert get_truths(report) == test
    assert get_predictions(report) == dict(zip(test, expected.tolist(), strict=True))
    truth = list(test.values())
    score = f1_score(truth, expected, average="macro", labels=np.unique(truth), zero_division=0)
    assert report.get_mean_score() == pytest.approx(score, abs=1e-12)


def test_clips_of_one_video_are_one_group_whatever_its_id_ends_with(root):
    videos = json.loads((root / "annotation" / "detection_annotations.json").read_text())
    groups = dict(load("mammalnet", root).table.select("example", "group").unique().iter_rows())
    assert set(groups.values()) <= set(videos)
    assert any(video.endswith("_2") and clip == video for clip, video in groups.items())
    shared = [video for video in videos if list(groups.values()).count(video) == 2]
    assert shared and all(groups[f"{video}_2"] == video for video in shared)


def test_clips_without_frames_are_counted_and_listed(root):
    manifest = load("mammalnet", root)
    assert {out.path: out.reason for out in manifest.left_out} == {
        "trimmed_videos/gone.mp4": "clips without frames or video",
        "trimmed_videos/brief.mp4": "clips with fewer than 32 frames",
    }
    assert any(note.startswith("2 of ") for note in manifest.notes)


def write_video(path, n_frames, fps=10):
    """Eight stripes a frame, black or white as the bits of its number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=fps)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 64, 48, "yuv420p", 12
        for number in range(n_frames):
            bits = np.repeat((number >> np.arange(8)) & 1, 8) * 255
            pixels = np.broadcast_to(bits[None, :, None], (48, 64, 3)).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return path


def read_numbers(folder):
    files = sorted(folder.iterdir())
    assert [file.name for file in files] == list(mammalnet.FRAMES)
    stripes = [np.asarray(Image.open(file), float)[:, 4::8].mean(axis=(0, 2)) for file in files]
    return (np.array(stripes) > 128) @ (1 << np.arange(8))


def test_frames_are_those_at_the_middle_of_equal_parts(tmp_path):
    video = write_video(tmp_path / "v.mp4", 200)
    extract_frames(video, 3.0, 19.0, N, tmp_path / "frames" / "v")
    # Ten frames a second: the one shown at a time is that of the tenth before it.
    expected = np.floor(10 * (3.0 + 16.0 * (np.arange(N) + 0.5) / N) + 1e-6)
    np.testing.assert_array_equal(read_numbers(tmp_path / "frames" / "v"), expected)
    assert [path.name for path in (tmp_path / "frames").iterdir()] == ["v"]


def test_a_part_longer_than_its_video_ends_on_the_last_frame(tmp_path):
    video = write_video(tmp_path / "v.mp4", 40)
    extract_frames(video, 2.0, 10.0, N, tmp_path / "v")
    numbers = read_numbers(tmp_path / "v")
    assert numbers[0] == 21 and (numbers[-16:] == 39).all()


def test_a_file_that_is_no_video_is_refused_and_leaves_nothing(tmp_path):
    (tmp_path / "v.mp4").write_bytes(b"not a video" * 99)
    with pytest.raises(UndecodableVideo):
        extract_frames(tmp_path / "v.mp4", 0.0, 1.0, N, tmp_path / "out" / "v")
    assert list((tmp_path / "out").iterdir()) == []


def test_clips_without_frames_are_decoded_from_their_videos_once(root, tmp_path, monkeypatch):
    copy = shutil.copytree(root, tmp_path / "mammalnet")
    clips = [name for name in read_clips(copy, "test") if name.endswith("x_2")][:1]
    (clip,) = clips
    video = clip.removesuffix("_2")
    shutil.rmtree(copy / "frames" / clip)
    write_video(copy / "full_video" / f"{video}.mp4", 230)
    (copy / "full_video" / "gone.mp4").write_bytes(b"damaged")
    manifest = load("mammalnet", copy)
    # The second part is from 20 to 36 seconds, but the video ends at 23.
    assert read_numbers(copy / "frames" / clip)[[0, 31]].tolist() == [202, 229]
    assert clip in set(manifest.table["example"])
    reasons = {out.path: out.reason for out in manifest.left_out}
    assert reasons["trimmed_videos/gone.mp4"] == "clips whose video cannot be decoded"
    before = (copy / "frames" / clip / "frame_01.jpg").stat().st_mtime_ns
    assert load("mammalnet", copy).digest() == manifest.digest()
    assert (copy / "frames" / clip / "frame_01.jpg").stat().st_mtime_ns == before
    shutil.rmtree(copy / "frames" / clip)
    monkeypatch.setattr(mammalnet, "has_decoder", lambda: False)
    with pytest.raises(BadInput, match="extra 'video'"):
        load("mammalnet", copy)


def test_a_line_that_is_no_clip_is_named(root, tmp_path):
    copy = shutil.copytree(root / "annotation", tmp_path / "m" / "annotation").parent
    path = copy / "annotation" / "composition" / "test.csv"
    path.write_text(path.read_text() + "trimmed_videos/a.mp4 3\n")
    with pytest.raises(BadInput, match=r"test\.csv: line \d+ is 'trimmed_videos/a\.mp4 3'"):
        load("mammalnet", copy)
