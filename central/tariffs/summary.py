"""What is in a package, in a few figures and sentences."""

from collections import Counter
from datetime import date

from pydantic import BaseModel

from central.tariffs.package import Package


class Summary(BaseModel):
    """A package at a glance: `signer` is the id of the key that signed it (null: not signed), `values` counts its
    values by component, `marks` by how sure they are."""

    name: str
    version: str
    scope: str
    commodity: str
    title: str
    first: date
    end: date
    binding: bool
    example: bool
    checksum: str
    signer: str | None
    operators: list[str]
    values: dict[str, int]
    marks: dict[str, int]
    rules: list[str]
    deadlines: list[str]
    notes: list[str]


def summary_of(package: Package, signer: str | None) -> Summary:
    """The figures of a package that was checked already."""
    file = package.file
    values: Counter[str] = Counter()
    marks: Counter[str] = Counter()
    counted = [(table.component, table.mark, len(table.rows)) for table in file.tables]
    counted += [(steps.component, steps.mark, len(steps.rows)) for steps in file.steps]
    for component, mark, rows in counted:
        values[component] += rows
        marks[mark.value] += rows
    return Summary(
        name=package.name,
        version=package.version,
        scope=file.scope,
        commodity=package.commodity,
        title=file.title.cs,
        first=package.valid[0],
        end=package.valid[1],
        binding=package.binding,
        example=file.example,
        checksum=package.checksum,
        signer=signer,
        operators=sorted(file.operators),
        values=dict(sorted(values.items())),
        marks=dict(sorted(marks.items())),
        rules=[f"{rule.component} ({', '.join(rule.levels) or 'all'}): {rule.formula}" for rule in file.rules],
        deadlines=[
            f"{each.name}: {each.count} {each.unit} {each.since} ({each.mark.value})" for each in file.deadlines
        ],
        notes=list(file.notes),
    )
