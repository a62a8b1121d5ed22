"""What made each number, said once: what all runs of a task or a model share stands with it.

    shared = find_shared(reports)               # equal in every report
    own = list_facts(report) minus what is said elsewhere

1,105 runs have 40 facts each, nearly all of which are those of their task or of their model.
"""

from collections.abc import Mapping, Sequence

from biobench import clean

__all__ = ["Facts", "find_shared", "list_facts", "subtract"]

Facts = Mapping[str, str]

_SKIPPED_BACKBONE = ("org", "ckpt", "name")
MAX_SKIPPED = 10


def list_facts(report: dict) -> dict[str, str]:
    """Everything that a report says of how it was made, in words."""
    made = report["provenance"]
    facts = {
        "Command": " ".join(report["argv"]),
        "Machine": f"{report['hostname']}, {report['gpu_name']}",
        "Code": report["commit"],
        "Data digest": made["manifest"],
        "Protocol digest": report["protocol_digest"],
    }
    backbone = {k: v for k, v in made["backbone"].items() if k not in _SKIPPED_BACKBONE}
    facts |= {f"Backbone, {name}": _say(value) for name, value in backbone.items()}
    facts |= {f"Protocol, {name}": _say(value) for name, value in made["protocol"].items()}
    published = made.get("published") or {}
    facts |= {f"Published, {name}": _say(value) for name, value in published.items()}
    facts |= {f"Count, {name}": _say(value) for name, value in made["counts"].items()}
    facts["Versions"] = ", ".join(f"{name} {value}" for name, value in made["versions"].items())
    facts |= {f"Warning {i}": text for i, text in enumerate(report["warnings"], 1)}
    for i, item in enumerate(made["skipped"][:MAX_SKIPPED], 1):
        image, split, reason = (item.get(key, "?") for key in ("image", "split", "reason"))
        facts[f"Not read {i}"] = f"{image} ({split}): {reason}"
    if len(made["skipped"]) > MAX_SKIPPED:
        facts["Not read"] = f"and {len(made['skipped']) - MAX_SKIPPED} more"
    return facts


def find_shared(reports: Sequence[dict]) -> dict[str, str]:
    """The facts that are the same in every report."""
    first, *others = (list_facts(report) for report in reports)
    return {
        name: value
        for name, value in first.items()
        if all(other.get(name) == value for other in others)
    }


def subtract(facts: Facts, *said: Facts) -> dict[str, str]:
    """The facts that are not said elsewhere."""
    return {
        name: value
        for name, value in facts.items()
        if not any(one.get(name) == value for one in said)
    }


def _say(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or value is None or isinstance(value, float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else clean.to_json(value)
