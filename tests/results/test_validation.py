"""Two readings of one schema: `jsonschema` of the published file, and what readers use."""

import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import damaged_reports as damaged
from biobench import results
from biobench.errors import BadInput
from biobench.results import store, validation
from results_world import make_report
from schema_strategies import from_schema

VALIDATOR = jsonschema.Draft202012Validator(results.get_schema())


def make_plain():
    report = make_report(n=8, n_groups=4)
    table = results.to_table(report.examples)
    config = {"task": "a", "kind": "a", "model": "b:c", "args": {"datadir": "/d"}}
    dct = store.build_report("insects", ("timm", "a"), report, table, config=config)
    dct |= {"predictions": {"sha256": "0" * 64, "bytes": 9}, "seal": "ab"}
    dct["provenance"]["fitted"] = {"": {"alpha": 1.0}}
    return json.loads(json.dumps(dct))


REPORT = make_plain()
PATHS = damaged.list_paths(REPORT)


def is_read(text):
    try:
        validation.decode(text)
    except ValueError:
        return False
    return True


def is_published(text):
    try:
        value = json.loads(text, parse_constant=lambda name: pytest.fail(name))
        text.decode()
        json.dumps(value, ensure_ascii=False).encode()
        return VALIDATOR.is_valid(value)
    except (ValueError, RecursionError, pytest.fail.Exception):
        return False


def test_the_schema_describes_every_field_that_is_written_and_reading_knows_it():
    assert is_published(json.dumps(REPORT).encode())
    schema = results.get_schema()
    assert set(REPORT) <= set(schema["properties"])
    assert set(validation.Report.__struct_fields__) == set(schema["properties"])
    provenance = schema["properties"]["provenance"]["properties"]
    assert set(REPORT["provenance"]) == set(provenance)
    assert set(validation.Provenance.__struct_fields__) == set(provenance)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(from_schema(results.get_schema()))
def test_every_report_that_the_published_schema_allows_is_read(value):
    text = json.dumps(value).encode()
    assert is_published(text)
    swapped = any(ci and ci[0] > ci[1] for ci in (value["ci"], value["group_ci"]))
    assert is_read(text) != swapped


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(PATHS), st.sampled_from(sorted(damaged.NASTY)))
def test_whatever_the_published_schema_refuses_is_not_read(path, name):
    text = damaged.replace(REPORT, path, name)
    if is_read(text):
        assert is_published(text), (path, name)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(PATHS))
def test_a_missing_field_is_read_where_the_published_schema_lets_it_be(path):
    text = damaged.remove(REPORT, path)
    assert is_read(text) == is_published(text), path


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([path for path in PATHS if path[-1] not in ("ci", "group_ci")]),
    st.sampled_from(["null", "true", "below zero", "a fraction", "a text", "no text", "a list"]),
)
def test_a_field_that_fits_the_published_schema_is_read(path, name):
    text = damaged.replace(REPORT, path, name)
    if is_published(text):
        report = json.loads(text)
        swapped = any(ci and ci[0] > ci[1] for ci in (report["ci"], report["group_ci"]))
        assert is_read(text) != swapped, (path, name)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=6), st.integers(0, 2000), st.integers(0, 30))
def test_bytes_put_anywhere_give_a_report_or_one_reason(data, start, n_cut):
    text = json.dumps(REPORT).encode()
    text = text[:start] + data + text[start + n_cut :]
    try:
        report = store.parse_report(text, Path("report.json"))
    except BadInput as err:
        assert "report.json" in str(err)
    else:
        json.dumps(report, allow_nan=False).encode()


@pytest.mark.parametrize("name", sorted(damaged.NASTY))
def test_a_field_given_twice_counts_once_and_for_every_reader_as_the_same(name):
    text = damaged.repeat(REPORT, "score", name)
    if is_read(text):
        assert validation.decode(text).score == store.parse_report(text, Path("r"))["score"]


def test_swapped_ends_of_an_interval_are_damage():
    text = json.dumps(REPORT | {"ci": [0.9, 0.1]}).encode()
    assert is_published(text) and not is_read(text)
