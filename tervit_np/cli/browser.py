"""Pages that a command shows in the browser."""

import os
import sys
from pathlib import Path


def open_page(page: Path) -> None:
    """Open a page if there is a screen: elsewhere a browser in the terminal would start."""
    import webbrowser

    screens = os.environ.get("DISPLAY"), os.environ.get("WAYLAND_DISPLAY")
    if sys.platform in ("win32", "darwin") or any(screens):
        webbrowser.open(page.absolute().as_uri())
