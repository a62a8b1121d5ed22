"""Prints docs/layers.toml into architecture.md: python docs/make_layers.py (a test holds it)."""

import pathlib
import tomllib

HERE = pathlib.Path(__file__).parent
PAGE = HERE / "architecture.md"
SOURCE = HERE.parent / "src" / "biobench"
BEGIN, END = "<!-- layers.toml -->\n", "<!-- end of layers.toml -->\n"


def read_table() -> dict:
    """`groups` (name: modules) and `layers` (modules, holds, imports, apart), lowest first."""
    return tomllib.loads((HERE / "layers.toml").read_text(encoding="utf-8"))


def make_page(page: str) -> str:
    """The page with the table as it should be."""
    table = read_table()
    lines = ["| module | what lives there | may import |", "|---|---|---|"]
    for layer in table["layers"]:
        modules = ", ".join(f"`{_show(module)}`" for module in layer["modules"])
        imports = ", ".join(layer["imports"]) or "nothing of ours"
        lines.append(f"| {modules} | {layer['holds']} | {imports} |")
    groups = [
        f"- *{name}*: {', '.join(f'`{module}`' for module in modules)}"
        for name, modules in table["groups"].items()
    ]
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    text = "\n".join([*lines, "", *groups, ""])
    return f"{before}{BEGIN}\n{text}\n{END}{after}"


def _show(module: str) -> str:
    return f"{module}/" if (SOURCE / module).is_dir() else f"{module}.py"


if __name__ == "__main__":
    PAGE.write_text(make_page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
