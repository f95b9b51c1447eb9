"""The declarative form of a customer check: conditions over columns, each with a severity and a text."""

import string
from collections.abc import Iterable
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, Field

from central.checks.customer.columns import COLUMNS
from central.checks.customer.parse import RuleError, parse
from central.checks.framework import COMMODITIES, Definition, Text
from central.checks.verdict import GROUPS
from central.platform.errors import BadInput

STATEMENTS: Final = ("regular", "annual")
GROUP: Final = "Zákaznické kontroly"


def _printable(value: str) -> str:
    if any(not character.isprintable() and character != "\n" for character in value):
        raise ValueError("control characters are not expected in it")
    return value


Line = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable)]
Said = Annotated[str, Field(min_length=1, max_length=1_000), AfterValidator(_printable)]
Where = Annotated[str, Field(min_length=1, max_length=2_000), AfterValidator(_printable)]
Severity = Literal["info", "ok", "warning", "error"]


class Names(BaseModel, extra="forbid"):
    """A name in both languages."""

    cs: Line
    en: Line


class Message(BaseModel, extra="forbid"):
    """A text in both languages; {quantity} in it is the column's value."""

    cs: Said
    en: Said


class Outcome(BaseModel, extra="forbid"):
    """What is said of a basis: how grave it is, and in which words."""

    severity: Severity
    text: Message


class ConditionForm(Outcome, extra="forbid"):
    """A condition and what is said of the bases for which it holds."""

    when: Where


class CheckForm(BaseModel, extra="forbid"):
    """A customer check: which bases it looks at, its conditions, and what is said where none of them holds."""

    name: Names
    group: Line = GROUP
    commodities: list[Literal["electricity", "gas"]] = Field(default=["electricity", "gas"], min_length=1)
    services: list[Literal["distribution", "supply", "other", "purchase"]] = Field(
        default=["distribution", "supply", "other", "purchase"], min_length=1
    )
    applies: Annotated[Where | None, Field(description="only bases for which this holds; the others show none")] = None
    conditions: list[ConditionForm] = Field(min_length=1, max_length=20)
    otherwise: Outcome | None = None

    def require_sound(self) -> Self:
        """Itself, or BadInput that names the part and what is wrong in it."""
        if self.applies is not None:
            _sound_condition("applies", self.applies)
        for place, each in enumerate(self.conditions, 1):
            _sound_condition(f"condition {place}", each.when)
            _sound_text(f"the text of condition {place}", each.text)
        if self.otherwise is not None:
            _sound_text("the text of otherwise", self.otherwise.text)
        return self

    def columns(self) -> frozenset[str]:
        """All columns that conditions and texts name."""
        conditions = [each.when for each in self.conditions] + ([] if self.applies is None else [self.applies])
        named = frozenset[str]().union(*(parse(each).columns for each in conditions))
        return named.union(*(columns_of(each) for each in self.texts()))

    def texts(self) -> list[Text]:
        """The messages in the order of the conditions; that of otherwise is the last."""
        outcomes: list[Outcome] = [*self.conditions, *([] if self.otherwise is None else [self.otherwise])]
        return [Text(each.text.cs, each.text.en) for each in outcomes]

    def rule(self) -> Text:
        """The rule in words."""
        return Text(
            self._told("pro", "jinak", "podklady, pro které platí"), self._told("for", "otherwise", "bases where")
        )

    def _told(self, for_: str, otherwise: str, applies: str) -> str:
        parts = [] if self.applies is None else [f"{applies} {self.applies}"]
        parts += [f"{for_} {each.when}: {each.severity}" for each in self.conditions]
        parts += [] if self.otherwise is None else [f"{otherwise}: {self.otherwise.severity}"]
        return "; ".join(parts)

    def definition(self, number: int, version: int) -> Definition:
        """The check as the framework knows it; it arrives for all groups of bases and both statements."""
        return Definition(
            number=number,
            name=Text(self.name.cs, self.name.en),
            rule=self.rule(),
            group=self.group,
            groups=tuple(GROUPS),
            statements=STATEMENTS,
            version=version,
            messages=(*self.texts(), *UNJUDGED),
            commodities=tuple(COMMODITIES.index(each) for each in self.commodities),
        )


UNJUDGED: Final = (
    Text(
        "Kontrola se nemohla provést: chybí hodnota, kterou podmínka porovnává.",
        "The check could not run: a value that its condition compares is missing.",
    ),
    Text(
        "Kontrola se nemohla provést: porovnávané hodnoty nemají společnou jednotku ani měnu.",
        "The check could not run: the values compared have no unit or currency in common.",
    ),
)
"""What is said of a basis of which no condition holds and some cannot be judged: a value is missing, or apart."""


def columns_of(message: Text) -> frozenset[str]:
    """The columns whose values a message shows."""
    return frozenset(
        name for text in (message.cs, message.en) for _, name, _, _ in string.Formatter().parse(text) if name
    )


def require_fields(what: str, message: Text, known: Iterable[str]) -> None:
    """BadInput where a text names in braces what is not known, or more than a name."""
    names = sorted(known)
    for text in (message.cs, message.en):
        try:
            fields = list(string.Formatter().parse(text))
        except ValueError as error:
            raise BadInput("text", f"In {what} ({text[:60]!r}) braces do not match: {error}.") from None
        for _, name, form, conversion in fields:
            if name is None:
                continue
            if name not in names or form or conversion:
                odd = f"{name}{'!' + conversion if conversion else ''}{':' + form if form else ''}"
                raise BadInput(
                    "text", f"{{{odd[:60]}}} in {what} is no value; {{name}} of one of {', '.join(names)} is expected."
                )


def _sound_text(what: str, message: Message) -> None:
    require_fields(what, Text(message.cs, message.en), COLUMNS)


def _sound_condition(what: str, text: str) -> None:
    try:
        parse(text)
    except RuleError as error:
        raise RuleError(error.code, f"In {what}: {error.message}") from None
