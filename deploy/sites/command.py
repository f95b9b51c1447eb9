"""`rozvodna sim site`: write a made-up site as a site file and as tables that can be imported."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from central.workflow.registry_import.mapping import SHIPPED
from central.workflow.registry_import.writing import write_records
from central.workflow.site_file import write_site
from deploy.sites.generate import generate
from deploy.sites.tables import records

MOST_POINTS: Final = 1_000_000
TABLES: Final = ("customers", "supply-points", "meters")


def main(arguments: Sequence[str]) -> int:
    """Write site.json and a CSV for each table; say where."""
    parser = argparse.ArgumentParser(prog="rozvodna sim site", description=__doc__)
    parser.add_argument("--points", type=int, required=True, help=f"supply points, 1 to {MOST_POINTS}")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same site")
    parser.add_argument("--out", type=Path, default=Path("site"), help="folder, made where it is missing")
    options = parser.parse_args(arguments)
    if not 1 <= options.points <= MOST_POINTS:
        parser.error(f"--points must be 1 to {MOST_POINTS}, not {options.points}")
    site = generate(options.points, options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    files = {"site.json": write_site(site)}
    for name in TABLES:
        mapping = SHIPPED[name]
        files[f"{name}.csv"] = write_records(records(site, mapping.content), mapping)
    for name, octets in files.items():
        (options.out / name).write_bytes(octets)
        print(options.out / name)
    return 0
