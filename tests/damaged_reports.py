"""Ways in which a `report.json` can be wrong: values for any field, and bytes that are no JSON."""

import copy
import json

NASTY = {
    "null": None,
    "true": True,
    "an integer of 400 digits": 10**400,
    "a negative integer of 400 digits": -(10**400),
    "64 bits and one": 2**64,
    "below zero": -1,
    "a fraction": 0.5,
    "beyond floats": "@1e999",
    "not a number": "@NaN",
    "infinity": "@-Infinity",
    "a text": "x",
    "no text": "",
    "half a character": '@"\\ud800"',
    "a null byte": "\0",
    "a list": [],
    "a list of odd things": [None, {}, [[]], 10**400],
    "an object": {},
    "an object of odd things": {"": None, "a": [{}], "b": 10**400},
    "far too deep": "@" + "[" * 5_000 + "]" * 5_000,
    "deep": "@" + '{"a":' * 40 + "1" + "}" * 40,
}
"""by name; a text that starts with @ is JSON (or what looks like it) as it stands."""

TEXTS = {
    "empty": b"",
    "cut": b'{"format": 1, "run',
    "binary": b"\xff\xfe\x00{",
    "a list": b"[]",
    "a text": b'"report"',
    "null": b"null",
    "no fields": b'{"format": 1}',
    "of the future": b'{"format": 7}',
    "deep": b"[" * 100_000,
    "a mark of byte order": b"\xef\xbb\xbf{}",
}


def list_paths(report):
    """Every place in a report, as a tuple of keys."""
    found = []

    def walk(value, path):
        if path:
            found.append(path)
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            if isinstance(item, dict | list):
                walk(item, (*path, key))
            else:
                found.append((*path, key))

    walk(report, ())
    return found


def replace(report, path, name):
    """The bytes of a report with one value in the place of another."""
    report = copy.deepcopy(report)
    parent = _get_parent(report, path)
    value = NASTY[name]
    is_raw = isinstance(value, str) and value.startswith("@")
    parent[path[-1]] = "@@here@@" if is_raw else value
    text = json.dumps(report)
    return (text.replace('"@@here@@"', value[1:]) if is_raw else text).encode()


def remove(report, path):
    """The bytes of a report without one value."""
    report = copy.deepcopy(report)
    del _get_parent(report, path)[path[-1]]
    return json.dumps(report).encode()


def repeat(report, key, name):
    """The bytes of a report that has one field twice."""
    text = replace(report, (key,), name).decode()
    return (json.dumps(report)[:-1] + ", " + text[1:]).encode()


def _get_parent(report, path):
    for key in path[:-1]:
        report = report[key]
    return report
