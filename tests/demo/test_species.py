"""Bodies, coats and postures: species differ in what they are meant to differ in."""

import numpy as np
import pytest

from biobench.demo.archetypes import ARCHETYPES
from biobench.demo.behaviour import BEHAVIOURS, posture
from biobench.demo.canvas import rng_for
from biobench.demo.flora import photograph_plant, plant_species
from biobench.demo.newt_scenes import sister_flowers
from biobench.demo.patterns import PATTERNS, Coat, coat_texture
from biobench.demo.plants import BLOSSOMS, LEAVES, PlantForm, plant
from biobench.demo.quadrupeds import Build, quadruped
from biobench.demo.scenes import HABITATS, background
from biobench.demo.species import Individual, animal_species, sister_species


@pytest.mark.parametrize("number", range(len(ARCHETYPES)))
def test_every_part_of_every_species_has_an_outline_and_a_texture(number):
    individual = Individual.of(animal_species(0, number), rng_for(0, number))
    parts = individual.parts(rng_for(1, number))
    assert len(parts) > 3
    for part in parts:
        assert np.isfinite(part.outline).all()
        assert part.texture is None or part.texture in individual.textures


def test_species_have_names_of_their_own_and_repeat_with_the_seed():
    names = [animal_species(0, number).name for number in range(182)]
    assert len(set(names)) > 170
    assert names == [animal_species(0, number).name for number in range(182)]


@pytest.mark.parametrize("pattern", [p for p in PATTERNS if p != "plain"])
def test_every_pattern_shows_both_of_its_colours(pattern):
    coat = Coat(pattern, (0.9, 0.9, 0.9), (0.05, 0.05, 0.05), covering="smooth")
    pixels = np.asarray(coat_texture(coat, rng_for(0, pattern)), float).mean(axis=2)
    assert (pixels > 150).mean() > 0.05
    assert (pixels < 60).mean() > 0.05


@pytest.mark.parametrize("kind", BEHAVIOURS)
def test_every_behaviour_is_a_body(kind):
    for phase in (0.0, 0.3, 0.7):
        parts = quadruped(Build(), posture(kind, phase, rng_for(0)))
        assert all(np.isfinite(part.outline).all() for part in parts)


def test_a_grazing_head_is_lower_than_a_watchful_one():
    heads = {
        kind: quadruped(Build(), posture(kind, 0.0, rng_for(0)))[-1].outline[:, 1].mean()
        for kind in ("graze", "walk", "alert")
    }
    assert heads["graze"] < heads["walk"] < heads["alert"]


def test_a_runner_swings_its_legs_farther_than_a_walker():
    def reach(kind):
        swings = [posture(kind, phase, rng_for(0)).legs for phase in np.linspace(0, 1, 12)]
        return np.abs(swings).max()

    assert reach("walk") < reach("trot") < reach("run")


def test_an_unknown_behaviour_is_refused_by_name():
    with pytest.raises(KeyError, match="known: stand"):
        posture("fly", 0.0, rng_for(0))


@pytest.mark.parametrize("number", range(1, 6))
def test_sister_species_differ_in_nothing_but_the_pattern(number):
    left, right = sister_species(0, number)
    assert left.build == right.build
    assert (left.coat.base, left.coat.marks) == (right.coat.base, right.coat.marks)
    assert left.coat.pattern != right.coat.pattern
    assert left.name != right.name


@pytest.mark.parametrize("number", range(6))
def test_sister_flowers_differ_in_nothing_but_the_blossom(number):
    left, right = sister_flowers(0, number)
    assert (left.petal, left.green, left.form.leaf) == (right.petal, right.green, right.form.leaf)
    assert left.form.blossom != right.form.blossom


@pytest.mark.parametrize("blossom", BLOSSOMS)
def test_every_blossom_grows(blossom):
    for leaf in LEAVES:
        parts = plant(PlantForm(blossom, leaf=leaf), rng_for(0, blossom, leaf))
        assert all(np.isfinite(part.outline).all() for part in parts)


@pytest.mark.parametrize("organ", ["flower", "leaf", "habit"])
def test_a_plant_is_photographed_by_organ(organ):
    image = photograph_plant(plant_species(0, 3), organ, rng_for(0, organ), size=(96, 120))
    assert image.size == (120, 96)


@pytest.mark.parametrize("habitat", HABITATS)
def test_every_place_looks_different_each_time(habitat):
    first = background(habitat, rng_for(0, habitat), 64, 80)
    second = background(habitat, rng_for(1, habitat), 64, 80)
    assert first.shape == (64, 80, 3)
    assert np.isfinite(first).all()
    assert np.abs(first - second).mean() > 0.01
