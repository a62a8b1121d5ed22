"""`biobench tasks`: what there is, one line each."""

import dataclasses
import json
from typing import Literal

__all__ = ["Tasks"]


@dataclasses.dataclass(frozen=True)
class Tasks:
    """The tasks there are, one line each."""

    format: Literal["table", "json"] = "table"
    """how to print them."""

    def main(self) -> int:
        from biobench import registry

        rows = [_describe(name, registry.load_task(name)) for name in registry.list_tasks()]
        if self.format == "json":
            print(json.dumps(rows, indent=2))
            return 0
        width = max(len(row["task"]) for row in rows) + 2
        for row in rows:
            print(f"{row['task']:<{width}}{row['description']}")
        return 0


def _describe(name: str, module) -> dict[str, str]:
    doc = (module.__doc__ or name).strip()
    return {"task": name, "description": (module.Args.__doc__ or doc).strip().splitlines()[0]}
