"""Settings of central: from the environment (prefix ROZVODNA_), nowhere else."""

import json
from datetime import date, time, timedelta
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from central.platform.errors import BadInput

RIGHTS = frozenset(
    {"read", "operate", "import", "work", "switch", "settle", "invoice", "pay", "market", "market-callback", "admin"}
)
"""`work`: a technician, on the pages for the phone, with the orders that are assigned to that name. `import`: another
head-end, which hands in files of readings. `pay`: payments, refunds, reminders and the export for the accounting."""


class TokenSetting(BaseModel):
    """One bearer token: who it names and what that person may do."""

    # Errors are printed and logged: they must not repeat what was given.
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    token: SecretStr = Field(min_length=16)
    name: str = Field(min_length=1)
    rights: frozenset[str]


class Settings(BaseSettings):
    """Everything that differs between installations.

    Each field is read from `ROZVODNA_<FIELD>`; the database and the broker also from `DATABASE_URL` and `MQTT_URL`.
    """

    model_config = SettingsConfigDict(
        env_prefix="ROZVODNA_", extra="ignore", populate_by_name=True, hide_input_in_errors=True
    )

    database_url: str = Field(
        default="postgresql://127.0.0.1:5432/rozvodna",
        validation_alias=AliasChoices("ROZVODNA_DATABASE_URL", "DATABASE_URL"),
    )
    mqtt_url: str = Field(
        default="mqtt://127.0.0.1:1883", validation_alias=AliasChoices("ROZVODNA_MQTT_URL", "MQTT_URL")
    )
    tokens: tuple[TokenSetting, ...] = ()
    tokens_file: Path | None = None
    api_host: str = "127.0.0.1"
    api_port: int = 8080
    ote_url: str | None = None
    ote_sender: str | None = None
    market_channels_file: Path | None = None
    """Keys, counterparties and channels of the market (JSON, see docs/channels.md); without it only `ote_url` is."""
    market_since: date | None = None
    """The first day whose acts are told to the market operator by themselves; None: nothing is."""
    market_every: timedelta = timedelta(minutes=5)
    """How often the housekeeping service looks for what must be told."""
    market_bulk_from: int | None = Field(default=None, ge=2)
    """So many points of a network that are registered on one day are told by one message (194); None: each by its own.
    """
    market_poll_s: float = Field(default=60.0, gt=0)
    """How often mailboxes and folders of the market are looked at."""
    home: Path = Path(".rozvodna")
    control_key_file: Path | None = None
    """Central's private key (Ed25519), with which it signs configurations and commands; `control.key` below `home`."""
    store_key_file: Path | None = None
    """The key under which keys of meters are stored in the database; `store.key` below `home`."""
    smtp_url: SecretStr | None = None
    """The mail server for issued documents: smtp://, smtp+starttls:// or smtps://, with user and password in it."""
    mail_from: str | None = None
    """The sender of mails, such as "Fakturace <fakturace@example.cz>"."""
    log_level: str = "info"
    log_json: bool = True
    day_deadline: time = time(10, 0)
    """Local time on the day after a metering day at which its version 1 is made even when values are missing."""
    edit_limit_kwh: Decimal = Decimal(100)
    """What one person may change by hand in a channel's month, in kWh or kvarh; beyond it a second person approves."""
    edit_limit_m3: Decimal = Decimal(100)
    """The same for gas, in m3."""
    consolidate_poll_s: float = 0.5
    consolidate_batches: int = 1000
    """How many batches one transaction of consolidation takes; 64 blocks of 96 each make about 25 MB of values."""

    import_folder: Path | None = None
    """Folder whose sub-folders, named by import sources, are watched for files of readings; unset: none is."""
    import_poll_s: float = Field(default=5.0, gt=0)
    """A file is taken when it looks the same so many seconds later."""
    package_folder: Path | None = None
    """Folder from which legislative packages signed by a trusted key are installed by themselves; unset: none is."""
    package_urls: tuple[str, ...] = ()
    """Addresses of single packages (https) that are picked up in the same way; JSON list."""
    package_urls_insecure: bool = False
    """Whether these addresses may be http."""
    packages_every: timedelta = timedelta(minutes=5)
    """How often the housekeeping service looks at them; a file is taken at the second look that sees it alike."""
    bank_folder: Path | None = None
    """Folder from which files of bank statements are booked by themselves; unset: none are."""
    bank_every: timedelta = timedelta(minutes=5)
    """How often the housekeeping service looks into it; a file is taken at the second look that sees it alike."""
    external_hosts: tuple[str, ...] = ()
    """Hosts ("www.cnb.cz", with a port "localhost:8000") that external information may be fetched from; JSON list."""
    external_http: bool = False
    """Whether they may be asked without TLS."""
    external_folders: tuple[Path, ...] = ()
    """Folders that external information may be read from, with what is below them; JSON list."""
    external_every: timedelta = timedelta(seconds=30)
    """How often the housekeeping service looks for runs of external sources that are due."""
    housekeeping_at: time = time(3, 0)
    """Local time from which a day's housekeeping is done."""
    service_cases_every: timedelta = timedelta(minutes=5)
    """How often the housekeeping service looks for causes of service cases and for work that comes due."""
    pinned_retention_years: int = Field(default=10, ge=1, le=100)
    """What an approved settlement run stands on is kept so long: the retention of invoices."""

    @property
    def control_key_path(self) -> Path:
        """Where central's private key is."""
        return self.control_key_file or self.home / "control.key"

    @property
    def store_key_path(self) -> Path:
        """Where the key is under which keys of meters are stored."""
        return self.store_key_file or self.home / "store.key"

    def all_tokens(self) -> tuple[TokenSetting, ...]:
        """Tokens of the environment and of the file; rights outside RIGHTS and repeated tokens are refused."""
        tokens = list(self.tokens)
        if self.tokens_file is not None:
            content = json.loads(self.tokens_file.read_text(encoding="utf-8"))
            tokens += [TokenSetting.model_validate(item) for item in content]
        seen: set[str] = set()
        for token in tokens:
            unknown = sorted(token.rights - RIGHTS)
            if unknown:
                raise BadInput(
                    "unknown_right",
                    f"The token of {token.name} names the right {unknown[0]!r}; known rights are "
                    f"{', '.join(sorted(RIGHTS))}. Correct ROZVODNA_TOKENS or the tokens' file.",
                )
            if token.token.get_secret_value() in seen:
                raise BadInput("repeated_token", f"The token of {token.name} is given twice; give each person one.")
            seen.add(token.token.get_secret_value())
        return tuple(tokens)


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The process's settings, read once."""
    return Settings()
