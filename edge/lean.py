"""Imported first by the agent's process: libraries load these for comfort where they are installed, and a concentrator
has no memory to spare for them. Not for other processes.
"""

import sys

NOT_HERE = ("numpy", "rich", "typer")

for _name in NOT_HERE:
    # None in sys.modules makes an import fail as if the package were not installed (documented in `import`).
    sys.modules.setdefault(_name, None)  # type: ignore[arg-type]  # typeshed knows modules only
