"""`biobench tasks`: what there is, one line each."""

import dataclasses
from typing import Literal

__all__ = ["Tasks"]


@dataclasses.dataclass(frozen=True)
class Tasks:
    """The tasks there are, one line each."""

    format: Literal["table", "json"] = "table"
    """how to print them."""

    def main(self) -> int:
        from biobench import clean, registry
        from biobench.screen import say

        rows = [_describe(name, registry.load_task(name)) for name in registry.list_tasks()]
        if self.format == "json":
            say(clean.to_json(rows, indent=2))
            return 0
        shown = [(clean.line(row["task"]), clean.line(row["description"])) for row in rows]
        width = max(len(task) for task, _ in shown) + 2
        for task, description in shown:
            say(f"{task:<{width}}{description}")
        return 0


def _describe(name: str, module) -> dict[str, str]:
    doc = (module.__doc__ or name).strip()
    return {"task": name, "description": (module.Args.__doc__ or doc).strip().splitlines()[0]}
