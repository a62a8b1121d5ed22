"""Outlines, placements, noise and light: the paint that every demo picture is made with."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biobench.demo import canvas
from biobench.demo.canvas import Part, Placement

SQUARE = np.array([(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)])
GREEN = (0.0, 1.0, 0.0)


def paper() -> np.ndarray:
    return np.full((60, 80, 3), 0.5, np.float32)


@given(st.integers(0, 2**40), st.lists(st.text(max_size=4), min_size=1, max_size=3))
def test_a_stream_depends_on_seed_and_name_alone(seed, key):
    first, second = canvas.rng_for(seed, *key), canvas.rng_for(seed, *key)
    assert first.integers(2**60) == second.integers(2**60)
    assert canvas.rng_for(seed + 1, *key).integers(2**60) != canvas.rng_for(seed, *key).integers(
        2**60
    )


@given(
    angle=st.floats(-4, 4),
    scale=st.floats(1, 100),
    flip=st.booleans(),
    x=st.floats(-50, 50),
    y=st.floats(-50, 50),
)
def test_a_placement_keeps_lengths_and_puts_the_origin_where_it_was_told(angle, scale, flip, x, y):
    placement = Placement(x, y, scale, angle, flip)
    origin, ahead, up = placement.to_pixels(np.array([(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)]))
    assert np.allclose(origin, (x, y))
    assert math.isclose(np.linalg.norm(ahead - origin), scale, rel_tol=1e-9)
    assert math.isclose(np.linalg.norm(up - origin), scale, rel_tol=1e-9)
    # Pixels count downwards, so an unflipped body is mirrored once, a flipped one twice.
    turn = np.linalg.det(np.stack([ahead - origin, up - origin]))
    assert (turn > 0) == flip


def test_a_part_is_painted_inside_its_outline_and_nowhere_else():
    picture = paper()
    part = Part(SQUARE, GREEN, relief=0.0)
    canvas.paint(picture, [part], Placement(40, 30, 10), {})
    assert np.allclose(picture[22:38, 32:48], GREEN)
    outside = picture.copy()
    outside[18:42, 28:52] = 0.5
    assert np.allclose(outside, 0.5)


def test_a_part_beyond_the_picture_is_left_out():
    picture = paper()
    canvas.paint(picture, [Part(SQUARE, GREEN)], Placement(500, 30, 10), {})
    assert np.allclose(picture, 0.5)


def test_a_texture_follows_its_body():
    ramp = np.linspace(0, 1, canvas.TEXTURE_SIZE, dtype=np.float32)
    field = np.repeat(np.tile(ramp, (canvas.TEXTURE_SIZE, 1))[..., None], 3, axis=2)
    textures = {"coat": canvas.to_texture(field)}
    part = Part(SQUARE, texture="coat", relief=0.0)
    ahead, behind = paper(), paper()
    canvas.paint(ahead, [part], Placement(40, 30, 20), textures)
    canvas.paint(behind, [part], Placement(40, 30, 20, flip=True), textures)
    assert ahead[30, 55, 0] == pytest.approx(0.87, abs=0.03)
    assert ahead[30, 25, 0] == pytest.approx(0.13, abs=0.03)
    assert behind[30, 55, 0] == pytest.approx(0.13, abs=0.03)


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(-5, 5)), min_size=3, max_size=8))
def test_a_spline_passes_through_its_points(points):
    closed = canvas.spline(points, closed=True, steps=4)
    opened = canvas.spline(points, closed=False, steps=4)
    assert np.allclose(closed[::4], points)
    assert np.allclose(opened[::4], points)


@settings(max_examples=20)
@given(st.integers(2, 70), st.integers(2, 70), st.floats(0.5, 30))
def test_noise_fills_its_field_within_bounds(height, width, cells):
    field = canvas.fractal(canvas.rng_for(0, "noise"), height, width, cells)
    assert field.shape == (height, width)
    assert field.dtype == np.float32
    assert -1 < field.min() <= field.max() < 2


def test_a_night_picture_is_grey_and_noisier_than_a_day_picture():
    day = np.asarray(canvas.develop(paper(), canvas.rng_for(0), exposure=0), float)
    night = np.asarray(canvas.develop(paper(), canvas.rng_for(0), exposure=0, night=True), float)
    assert np.ptp(night, axis=2).max() == 0
    assert np.ptp(day, axis=2).max() > 0
    assert np.diff(night[:, :, 0]).std() > 2 * np.diff(day[:, :, 0]).std()


def test_developing_leaves_the_scene_as_it_was():
    scene = paper()
    canvas.develop(scene, canvas.rng_for(0))
    assert np.array_equal(scene, paper())
