"""A package with customer checks, as an operator would install it: a good one, and ones that must not break a run."""

from __future__ import annotations

from pathlib import Path

MODULE = '''
import os, subprocess, sys
from decimal import Decimal

import numpy as np

from central.checks.framework import Definition, Kind, Parameter, Text, Value, findings


def definition(number):
    return Definition(
        number=number, name=Text("Levné", "Cheap"), rule=Text("cena pod mezí", "price below the limit"), group="ACME",
        groups=("regular",), statements=("regular",),
        messages=(Text("cena {price}, dříve {before}", "price {price}, before {before}"),),
        parameters=(Parameter("limit", Text("mez", "limit"), Decimal("0.5")),),
    )


class Cheap:
    definition = definition(200001)
    inputs = ("previous_price",)

    def verdict(self, bases, inputs, parameters):
        print("this goes nowhere")
        limit = int(parameters["limit"] * 1_000_000)
        values = {"price": Value(Kind.DECIMAL, bases["price"]), "before": Value(Kind.DECIMAL, inputs["previous_price"])}
        return [findings(bases["id"], np.where(bases["price"] < limit, 5, 2), 0, values)]


class Failing(Cheap):
    """Fails in the way that its parameter says."""
    definition = definition(200002)

    def verdict(self, bases, inputs, parameters):
        way = int(parameters["limit"])
        if way == 1:
            raise LookupError(f"found {[name for name in os.environ if 'DATABASE' in name or 'ROZVODNA' in name]}")
        if way == 2:
            np.zeros(10**11, dtype=np.int64)
        if way == 3:
            sys.exit("enough")
        if way == 4:
            os._exit(7)
        raise ZeroDivisionError("division of {1} by \\0 zero")


class Endless(Cheap):
    definition = definition(200003)

    def verdict(self, bases, inputs, parameters):
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        while True:
            pass
'''

SLOW = "import time\nwhile True:\n    time.sleep(0.01)\n"


def install(folder: Path, *names: str) -> None:
    """Put the package where Python finds it once `folder` is on its path; `names` are the classes it offers."""
    (folder / "acme_checks.py").write_text(MODULE)
    (folder / "acme_slow.py").write_text(SLOW)
    about = folder / "acme-1.0.dist-info"
    about.mkdir(exist_ok=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    lines = [f"{name} = {'acme_slow' if name == 'Slow' else 'acme_checks'}:{name}" for name in names]
    (about / "entry_points.txt").write_text("\n".join(["[rozvodna.checks]", *lines, ""]))
