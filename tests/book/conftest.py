"""The book's own code lies in docs/book; that of the chapters in tutorials."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
for folder in (ROOT / "tutorials", ROOT / "docs" / "book"):
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
