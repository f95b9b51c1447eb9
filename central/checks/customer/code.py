"""Customer checks in Python: what a package brings, and what travels between central and the process that it runs in.

A package names its checks as entry points of the group `rozvodna.checks`; each is a class (or an object) like those of
`central/checks/standard`, but with `inputs`, the names of columns to compare with, in place of `read`: nothing of it
touches the database, and nothing of it runs in central's own process.
"""

import string
from collections.abc import Mapping, Sequence
from decimal import Decimal
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final, Protocol

import msgspec
import numpy as np

from central.checks.customer.columns import COLUMNS
from central.checks.customer.numbers import END_OF_NUMBERS, FIRST_OF_CODE
from central.checks.frame import Frame
from central.checks.framework import COMMODITIES, Definition, Findings, Kind, Parameter, Subject, Text, Value

ENTRY_POINTS: Final = "rozvodna.checks"
INPUTS: Final = tuple(name for name, column in COLUMNS.items() if column.source != "basis")


class CodeCheck(Protocol):
    """What a package's entry point leads to."""

    definition: Definition
    inputs: Sequence[str]
    """Of INPUTS."""

    def verdict(self, bases: Frame, inputs: Frame, parameters: Mapping[str, Any]) -> Sequence[Findings]:
        """As of a standard check; `inputs` has a value beside each basis."""
        ...


class Said(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text in both languages."""

    cs: str
    en: str


class Setting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A parameter of a check; numbers as text."""

    name: str
    text: Said
    default: str
    choices: tuple[str, ...]
    least: str


class Description(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a check in Python is: what is stored of it, and what it says of itself each time it is loaded."""

    number: int
    name: Said
    rule: Said
    group: str
    groups: tuple[str, ...]
    statements: tuple[str, ...]
    commodities: tuple[int, ...]
    messages: tuple[Said, ...]
    parameters: tuple[Setting, ...]
    inputs: tuple[str, ...]

    def definition(self, version: int) -> Definition:
        """As the framework knows it."""
        return Definition(
            number=self.number,
            name=Text(self.name.cs, self.name.en),
            rule=Text(self.rule.cs, self.rule.en),
            group=self.group,
            groups=self.groups,
            statements=self.statements,
            messages=tuple(Text(each.cs, each.en) for each in self.messages),
            commodities=self.commodities,
            parameters=tuple(
                Parameter(
                    each.name,
                    Text(each.text.cs, each.text.en),
                    each.default if each.choices else Decimal(each.default),
                    each.choices,
                    Decimal(each.least),
                )
                for each in self.parameters
            ),
            version=version,
        )


class SentFrame(msgspec.Struct, frozen=True):
    """Columns as octets of 8-octet numbers, with their words."""

    columns: dict[str, bytes]
    words: dict[str, tuple[str, ...]]


class SentFindings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Findings as octets: subjects and values of 8-octet numbers, results of 1, messages of 2."""

    subjects: bytes
    results: bytes
    messages: bytes
    values: dict[str, tuple[str, tuple[str, ...], bytes]]
    about: str
    group: str | None


class Question(msgspec.Struct, frozen=True):
    """What a check is asked: the bases, what they are compared with, and its parameters (numbers as text)."""

    bases: SentFrame
    inputs: SentFrame
    parameters: dict[str, str]


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What came of it: a description after loading, findings after a question, or why there are none."""

    description: Description | None = None
    findings: tuple[SentFindings, ...] = ()
    failed: str | None = None


def offered() -> dict[str, EntryPoint]:
    """The entry points of the packages that are installed, by package and name."""
    return {
        f"{'' if each.dist is None else each.dist.name}: {each.name}": each for each in entry_points(group=ENTRY_POINTS)
    }


def describe(check: CodeCheck) -> Description:
    """What a check says of itself; ValueError names what is wrong."""
    it = check.definition
    described = Description(
        number=it.number,
        name=Said(it.name.cs, it.name.en),
        rule=Said(it.rule.cs, it.rule.en),
        group=it.group,
        groups=tuple(it.groups),
        statements=tuple(it.statements),
        commodities=tuple(it.commodities),
        messages=tuple(Said(each.cs, each.en) for each in it.messages),
        parameters=tuple(
            Setting(each.name, Said(each.text.cs, each.text.en), str(each.default), each.choices, str(each.least))
            for each in it.parameters
        ),
        inputs=tuple(check.inputs),
    )
    if it.once:
        raise ValueError("a check of a whole month cannot be a customer's: it would have to read the database")
    return described


def require_sound(described: Description) -> Description:
    """Itself, or ValueError: numbers, names and texts that could disturb others are refused."""
    if not FIRST_OF_CODE <= described.number < END_OF_NUMBERS:
        raise ValueError(f"number {described.number}: one from {FIRST_OF_CODE} to {END_OF_NUMBERS - 1} is expected")
    _refuse("inputs", described.inputs, INPUTS)
    _refuse("groups", described.groups, ("regular", "accrual", "annual"))
    _refuse("statements", described.statements, ("regular", "annual"))
    _refuse("commodities", described.commodities, tuple(range(len(COMMODITIES))))
    for each in (*described.messages, described.name, described.rule, Said(described.group, "")):
        if any(not letter.isprintable() and letter != "\n" for letter in each.cs + each.en):
            raise ValueError("a text with control characters")
    if "time_limit_s" in (each.name for each in described.parameters):
        raise ValueError("a parameter time_limit_s: every check in Python has it already")
    for each in described.messages:
        fields_of(Text(each.cs, each.en))
    described.definition(1)
    return described


def fields_of(message: Text) -> frozenset[str]:
    """The names in braces; ValueError where there is more than a name in them."""
    found = set()
    for text in (message.cs, message.en):
        for _, name, form, conversion in string.Formatter().parse(text):
            if name is not None:
                if not name.isidentifier() or form or conversion:
                    raise ValueError(f"{{{name}}} in {text[:60]!r}: only a name is expected in braces")
                found.add(name)
    return frozenset(found)


def send_frame(frame: Frame) -> SentFrame:
    """The frame as it travels."""
    octets = {name: np.ascontiguousarray(column, dtype="<i8").tobytes() for name, column in frame.columns.items()}
    return SentFrame(octets, {name: tuple(words) for name, words in frame.words.items()})


def receive_frame(sent: SentFrame) -> Frame:
    """The frame as it was."""
    return Frame({name: np.frombuffer(octets, "<i8") for name, octets in sent.columns.items()}, sent.words)


def send_findings(found: Findings) -> SentFindings:
    """Findings as they travel; ValueError where a column is none of whole numbers."""
    return SentFindings(
        _octets(found.subjects, "<i8"),
        _octets(found.results, "<i1"),
        _octets(found.messages, "<i2"),
        {
            name: (str(value.kind), tuple(value.words), _octets(value.data, "<i8"))
            for name, value in found.values.items()
        },
        str(found.about),
        found.group,
    )


def receive_findings(sent: SentFindings) -> Findings:
    """Findings as they were; ValueError for a kind of value or of subject that there is not."""
    return Findings(
        subjects=np.frombuffer(sent.subjects, "<i8"),
        results=np.frombuffer(sent.results, "<i1"),
        messages=np.frombuffer(sent.messages, "<i2"),
        values={
            name: Value(Kind(kind), np.frombuffer(octets, "<i8"), words)
            for name, (kind, words, octets) in sent.values.items()
        },
        about=Subject(sent.about),
        group=sent.group,
    )


def _octets(column: Any, kind: str) -> bytes:
    numbers = np.asarray(column)
    if numbers.ndim != 1 or (numbers.size and numbers.dtype.kind not in "iub"):
        raise ValueError(f"a column of {numbers.dtype} with {numbers.ndim} dimensions; whole numbers are expected")
    whole = numbers.astype(kind)
    if not np.array_equal(whole, numbers):
        raise ValueError(f"a column with numbers beyond {kind}")
    return whole.tobytes()


def _refuse(what: str, given: Sequence[Any], known: Sequence[Any]) -> None:
    if odd := [each for each in given if each not in known]:
        raise ValueError(f"{what} {', '.join(map(str, odd))}; {', '.join(map(str, known))} are expected")
