"""`biobench tasks`: what there is, one line each."""

import dataclasses
from typing import Literal

from biobench.commands.explaining import Imports

__all__ = ["Tasks"]


@dataclasses.dataclass(frozen=True)
class Tasks:
    """The tasks there are, one line each."""

    format: Literal["table", "json"] = "table"
    """how to print them."""
    imports: Imports = ()
    """modules or .py files to import first: they register what is not biobench's own."""

    def main(self) -> int:
        from biobench import clean, registry
        from biobench.imports import import_modules
        from biobench.screen import say

        import_modules(self.imports)
        rows = [_describe(name) for name in registry.list_tasks()]
        if self.format == "json":
            say(clean.to_json(rows, indent=2))
            return 0
        shown = [(clean.line(row["task"]), clean.line(row["description"])) for row in rows]
        width = max(len(task) for task, _ in shown) + 2
        for task, description in shown:
            say(f"{task:<{width}}{description}")
        return 0


def _describe(name: str) -> dict[str, str]:
    from biobench import registry
    from biobench.errors import BadInput

    try:
        module = registry.load_task(name)
    except BadInput as err:  # of another package's code; the rest still count
        return {"task": name, "description": str(err)}
    doc = (module.__doc__ or name).strip()
    return {"task": name, "description": (module.Args.__doc__ or doc).strip().splitlines()[0]}
