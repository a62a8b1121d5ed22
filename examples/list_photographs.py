"""Lists photographs that lie in folders by kind, as a table for the task `folder`.

    python examples/list_photographs.py /usr/share/tuxpaint/stamps photographs.csv

Written for Debian's package tuxpaint-stamps-default (cut-out photographs of animals and plants),
and a pattern for any tree of folders: walk it, name each picture's label, write the columns path
and label. Kinds with fewer than 8 pictures are left out and listed.
"""

import argparse
import collections
import csv
import pathlib
import sys

MIN_PICTURES = 8
NOT_PHOTOGRAPHS_OF_ORGANISMS = {"cartoon", "plastic", "toys"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stamps", type=pathlib.Path, help="folder that holds animals/ and plants/")
    parser.add_argument("out", type=pathlib.Path, help="CSV file to write")
    args = parser.parse_args()
    kinds = list_kinds(args.stamps)
    if not kinds:
        sys.exit(f"{args.stamps} holds no animals/KIND or plants/KIND; install the package first.")
    with args.out.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label"])
        for kind, paths in sorted(kinds.items()):
            if len(paths) < MIN_PICTURES:
                print(f"left out {kind}: {len(paths)} pictures")
                continue
            print(f"{kind}: {len(paths)} pictures")
            writer.writerows([path.resolve(), kind] for path in paths)


def list_kinds(stamps: pathlib.Path) -> dict[str, list[pathlib.Path]]:
    """Kind (birds, mammals, flowers, …) -> its photographs, at any depth."""
    kinds = collections.defaultdict(list)
    for path in sorted([*stamps.glob("animals/*/**/*.png"), *stamps.glob("plants/*/**/*.png")]):
        parts = path.relative_to(stamps).parts[1:-1]
        if parts and not NOT_PHOTOGRAPHS_OF_ORGANISMS & set(parts):
            kinds[parts[0]].append(path)
    return dict(kinds)


if __name__ == "__main__":
    main()
