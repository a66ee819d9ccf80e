"""Import every module of a member: `python import_each.py <package> [<package that may be absent>...]`.

Meant for an environment that has the member and what it declares, and nothing else: what is imported and not declared
is missing there. `__main__` starts something, and is left out.
"""

import importlib
import pkgutil
import sys


def main(package: str, *may_be_absent: str) -> None:
    """Import all; a module that needs an absent part is listed, and is no error where the part may be absent."""
    names, absent = [package], []
    names += [m.name for m in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}.")]
    for name in names:
        if name.endswith(".__main__"):
            continue
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name not in may_be_absent:
                raise
            absent.append(f"{name} without {error.name}")
    sys.stdout.write(f"{package} alone: {len(names)} modules; {'; '.join(absent) or 'all can be imported'}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
