"""What is wrong and would be right, in words for whoever sits at the prompt."""

from __future__ import annotations

import os


class Problem(Exception):
    """Something that is said in a line, without a traceback."""


def why_no_mininet() -> str | None:
    """What keeps Mininet from running here, if anything does."""
    if os.geteuid() != 0:
        return "Mininet makes network namespaces: run this as root"
    try:
        # It comes from the system's packages, for the system's Python.
        import mininet.log  # noqa: F401 (only whether it is there)
    except ModuleNotFoundError as missing:
        return f"{missing}: apt install mininet, and run this with /usr/bin/python3"
    return None
