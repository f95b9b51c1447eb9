"""Tables of parties: who they are and were, addresses, accounts, contacts, networks, number series."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    Date,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import ARRAY, DATERANGE, ExcludeConstraint

from central.platform.database import metadata
from central.registry.past import one_of, past_of

ROLES = ("operator", "customer", "supplier", "balance_responsible", "superior_distributor", "market_operator")
COMMODITIES = ("electricity", "gas")
ADDRESS_KINDS = ("mailing", "billing", "premises")
ACCOUNT_PURPOSES = ("refund", "debit", "other")
SERIES_PURPOSES = ("ean18", "eic", "contract", "contract_account", "work_order")

party = Table(
    "party",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("code", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("ico", Text),
    Column("dic", Text),
    Column("street", Text, nullable=False),
    Column("city", Text, nullable=False),
    Column("postal_code", Text, nullable=False),
    Column("country", Text, nullable=False, server_default="CZ"),
    Column("ean13", Text, unique=True),
    Column("eic", Text),
    Column("iban", Text),
    Column("licence", Text),
    Column("registration", Text),
    Column("vat_payer", Boolean, nullable=False, server_default="true"),
    Column("email", Text),
    Column("superior", BigInteger, ForeignKey("party.id")),
    Column("roles", ARRAY(Text), nullable=False),
    Column("phone", Text),
    Column("since", Date),
    Column(
        "search",
        Text,
        Computed(
            "fold(code || ' ' || name || ' ' || city || ' ' || street || ' ' || coalesce(ico, '') || ' ' ||"
            " coalesce(ean13, ''))",
            persisted=True,
        ),
    ),
    Column("name_folded", Text, Computed("fold(name)", persisted=True)),
    CheckConstraint(
        f"cardinality(roles) > 0 AND roles <@ ARRAY[{', '.join(repr(role) for role in ROLES)}]", name="roles"
    ),
    CheckConstraint("ean13 ~ '^[0-9]{13}$'", name="ean13"),
    Index("party_search_ix", "search", postgresql_using="gin", postgresql_ops={"search": "gin_trgm_ops"}),
    Index("party_roles_ix", "roles", postgresql_using="gin"),
    Index("party_name_ix", "name", "id"),
    Index("party_code_id_ix", "code", "id"),
    Index("party_city_ix", "city", "id"),
    comment="Subjekt: licence holder, customer or payer, supplier, superior distributor, market operator",
)

PARTY_FACTS = (
    "name", "roles", "ico", "dic", "street", "city", "postal_code", "country", "ean13", "eic", "iban", "licence",
    "registration", "vat_payer", "email", "phone", "superior",
)  # fmt: skip
"""What may change of a party, with validity; `code` is its name for ever."""

party_past = past_of(party, PARTY_FACTS)

party_address = Table(
    "party_address",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("party", BigInteger, ForeignKey("party.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("street", Text, nullable=False),
    Column("city", Text, nullable=False),
    Column("postal_code", Text, nullable=False),
    Column("country", Text, nullable=False, server_default="CZ"),
    Column("valid", DATERANGE, nullable=False),
    CheckConstraint(one_of("kind", ADDRESS_KINDS), name="kind"),
    CheckConstraint("NOT isempty(valid)", name="valid"),
    ExcludeConstraint(
        ("party", "="), ("kind", "="), ("valid", "&&"), using="gist", name="party_address_party_kind_valid_excl"
    ),
    comment="Addresses beside the seat, which stands in party: one of a kind at a time",
)

party_account = Table(
    "party_account",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("party", BigInteger, ForeignKey("party.id"), nullable=False),
    Column("purpose", Text, nullable=False),
    Column("iban", Text, nullable=False),
    Column("czech_number", Text),
    Column("currency", Text, nullable=False, server_default="CZK"),
    Column("valid", DATERANGE, nullable=False),
    CheckConstraint(one_of("purpose", ACCOUNT_PURPOSES), name="purpose"),
    CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
    CheckConstraint("NOT isempty(valid)", name="valid"),
    ExcludeConstraint(
        ("party", "="), ("purpose", "="), ("valid", "&&"), using="gist", name="party_account_party_purpose_valid_excl"
    ),
    comment="Bank accounts beside the main one, which invoices print and which stands in party.iban",
)

party_contact = Table(
    "party_contact",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("party", BigInteger, ForeignKey("party.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("matter", Text, nullable=False),
    Column("email", Text),
    Column("phone", Text),
    Column("valid", DATERANGE, nullable=False),
    CheckConstraint("NOT isempty(valid)", name="valid"),
    CheckConstraint("coalesce(email, phone) IS NOT NULL", name="reachable"),
    comment="Persons to turn to, by matter (invoicing, outages, metering, ...)",
)

contract_account = Table(
    "contract_account",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("number", Text, nullable=False, unique=True),
    Column("party", BigInteger, ForeignKey("party.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("valid", DATERANGE, nullable=False),
    CheckConstraint("NOT isempty(valid)", name="valid"),
    UniqueConstraint("id", "party"),
    comment="Smluvní účet: where what one payer owes under several contracts is kept together",
)

network_area = Table(
    "network_area",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("code", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("commodity", Text, nullable=False),
    Column("licensee", BigInteger, ForeignKey("party.id"), nullable=False, index=True),
    Column("superior", BigInteger, ForeignKey("party.id"), nullable=False, index=True),
    Column("licence", Text),
    Column("valid", DATERANGE, nullable=False),
    CheckConstraint(one_of("commodity", COMMODITIES), name="commodity"),
    CheckConstraint("NOT isempty(valid)", name="valid"),
    CheckConstraint("licensee <> superior", name="parties"),
    UniqueConstraint("id", "licensee"),
    comment="Lokální distribuční soustava (LDS): one network of one licence holder, fed by a superior distributor",
)

number_series = Table(
    "number_series",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("code", Text, nullable=False, unique=True),
    Column("purpose", Text, nullable=False),
    Column("prefix", Text, nullable=False),
    Column("digits", Integer, nullable=False),
    Column("first_number", BigInteger, nullable=False),
    Column("last_number", BigInteger, nullable=False),
    Column("next_number", BigInteger, nullable=False),
    CheckConstraint(one_of("purpose", SERIES_PURPOSES), name="purpose"),
    CheckConstraint("digits BETWEEN 1 AND 15", name="digits"),
    CheckConstraint(
        "0 <= first_number AND first_number <= last_number AND last_number < 10 ^ digits"
        " AND next_number BETWEEN first_number AND last_number + 1",
        name="range",
    ),
    UniqueConstraint("purpose", "prefix", "digits", "first_number", name="number_series_prefix_digits_key"),
    comment="Číselná řada: the row is locked by whoever draws until its transaction ends, so that numbers have no "
    "holes",
)
