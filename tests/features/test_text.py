"""Texts go through the cache as pictures do: by content, once, and a killed run goes on."""

import numpy as np
import pytest
import torch

import reading_models
from biobench.errors import BadInput, CellFailed
from biobench.features import BackboneSource, EmbedOptions, TextSource, inventory
from biobench.features.text import text_digest
from biobench.interfaces import TextTower
from biobench.third_party_models import OpenClip
from tiny_backbones import TinyConv


class Letters(TextTower):
    """Counts letters through a random matrix, and what it was given."""

    def __init__(self, seed: int = 0):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.weight = torch.nn.Parameter(torch.randn(128, 16, generator=generator))
        self.read: list[list[str]] = []

    def txt_encode(self, prompts):
        self.read.append(list(prompts))
        counts = torch.zeros(len(prompts), 128)
        for row, prompt in enumerate(prompts):
            for char in prompt:
                counts[row, ord(char) % 128] += 1
        return counts.to(self.weight.device) @ self.weight


class StopsAfter(Letters):
    """Is killed after so many passes of a run; the digest's passes have one text."""

    left = 2

    def txt_encode(self, prompts):
        if len(prompts) > 1:
            if self.left == 0:
                raise KeyboardInterrupt
            self.left -= 1
        return super().txt_encode(prompts)


def make_source(tower, folder, **options):
    return TextSource(tower, EmbedOptions(device="cpu", cache_root=folder, **options), name="lab:1")


def list_read(tower):
    """The texts of full passes, in order, without those that filled one up."""
    return [text for part in tower.read if len(part) > 1 for text in dict.fromkeys(part)]


PROMPTS = [f"a photo of species {number}" for number in range(30)]


def test_vectors_are_those_of_a_plain_loop_in_batches_of_eight(tmp_path):
    files = reading_models.save_models(tmp_path)
    for arch, file in files.items():
        tower = OpenClip.load_text_tower(f"local:{arch}/{file}")
        source = make_source(tower, tmp_path / "cache")
        found = source(PROMPTS).take(np.arange(len(PROMPTS)))
        expected = []
        with torch.inference_mode():
            for start in range(0, len(PROMPTS), 8):
                part = PROMPTS[start : start + 8]
                part = part + part[-1:] * (8 - len(part))
                expected.append(tower.txt_encode(part))
        assert np.array_equal(found, torch.cat(expected)[: len(PROMPTS)].numpy())


def test_a_text_is_encoded_once_and_then_known(tmp_path):
    tower = Letters()
    first = make_source(tower, tmp_path)([*PROMPTS, PROMPTS[0]])
    assert first.counts == {"known": 0, "embedded": 30} and sorted(list_read(tower)) == sorted(
        PROMPTS
    )
    fresh = Letters()
    again = make_source(fresh, tmp_path)([PROMPTS[3], "another", PROMPTS[0]])
    assert again.counts == {"known": 2, "embedded": 1} and list_read(fresh) == ["another"]
    index = np.array([0, 2, 0])
    assert np.array_equal(again.take(index), first.take(np.array([3, 30, 3])))


def test_other_weights_have_texts_of_their_own(tmp_path):
    make_source(Letters(), tmp_path)(PROMPTS)
    other = Letters(seed=1)
    assert make_source(other, tmp_path)(PROMPTS).counts["known"] == 0
    assert text_digest(other) != text_digest(Letters())


def test_a_killed_run_goes_on_where_it_was(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        make_source(StopsAfter(), tmp_path, shard_rows=8)(PROMPTS)
    tower = StopsAfter()
    tower.left = 9
    source = make_source(tower, tmp_path)
    found = source(PROMPTS)
    assert found.counts == {"known": 16, "embedded": 14}
    assert list_read(tower) == PROMPTS[16:]
    with torch.inference_mode():
        expected = Letters().txt_encode(PROMPTS).numpy()
    np.testing.assert_allclose(found.take(np.arange(30)), expected, rtol=1e-5)


def test_what_waits_is_kept_when_a_run_is_killed(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        make_source(StopsAfter(), tmp_path)(PROMPTS)
    tower = StopsAfter()
    assert make_source(tower, tmp_path)(PROMPTS[:16]).counts == {"known": 16, "embedded": 0}


def test_no_resume_encodes_anew(tmp_path):
    make_source(Letters(), tmp_path)(PROMPTS)
    tower = Letters()
    source = make_source(tower, tmp_path, resume=False)
    assert source(PROMPTS).counts["embedded"] == 30
    # A clean start is made once.
    assert source(PROMPTS).counts["known"] == 30


def test_a_text_that_becomes_no_number_is_named(tmp_path):
    class Divides(Letters):
        def txt_encode(self, prompts):
            zero = torch.tensor([[float("void" not in prompt)] for prompt in prompts])
            return super().txt_encode(prompts) * zero / zero

    with pytest.raises(CellFailed, match="NaN or infinity of the text 'a photo of the void'"):
        make_source(Divides(), tmp_path)([*PROMPTS, "a photo of the void"])


def test_a_tower_that_does_not_fit_is_given_fewer_texts(tmp_path):
    class Small(Letters):
        def txt_encode(self, prompts):
            if len(prompts) > 2:
                raise torch.cuda.OutOfMemoryError("CUDA out of memory")
            return super().txt_encode(prompts)

    features = make_source(Small(), tmp_path)(PROMPTS)
    assert features.counts["embedded"] == 30
    assert [text.split(" with ", 1)[1] for text in features.warnings] == [
        "8 texts a pass; went on with 4.",
        "4 texts a pass; went on with 2.",
    ]


def test_a_shape_that_is_no_vector_a_text_is_refused(tmp_path):
    class Flat(Letters):
        def txt_encode(self, prompts):
            return super().txt_encode(prompts).reshape(-1, 1)

    with pytest.raises(CellFailed, match=r"Flat.txt_encode made features of shape \(128, 1\)"):
        make_source(Flat(), tmp_path)(PROMPTS)


def test_half_precision_is_not_run_on_a_cpu(tmp_path):
    with pytest.raises(BadInput, match="a CPU only runs fp32"):
        make_source(Letters(), tmp_path, precision="fp16")(PROMPTS)


def test_texts_stand_in_the_list_of_what_is_in_the_cache(tmp_path):
    make_source(Letters(), tmp_path)(PROMPTS)
    (entry,) = inventory.list_entries(tmp_path)
    assert (entry.models, entry.adapter, entry.n_rows) == (["lab:1"], "Letters", 30)
    assert inventory.verify(tmp_path) == []


def test_a_model_that_reads_is_another_model_only_where_it_reads(tmp_path):
    options = EmbedOptions(device="cpu", cache_root=tmp_path)

    def describe(text):
        return BackboneSource(TinyConv(), options, text=text).describe()

    plain = describe(None)
    one, same, other = (describe(make_source(Letters(seed), tmp_path)) for seed in (0, 0, 1))
    assert plain["digest"] == BackboneSource(TinyConv(), options).digest and "text" not in plain
    assert len({plain["digest"], one["digest"], other["digest"]}) == 3
    assert one["digest"] == same["digest"]
