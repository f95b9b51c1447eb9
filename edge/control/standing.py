"""What an agent that obeys central knows before it starts: its local file, whom it obeys, which configuration it
runs.
"""

from dataclasses import dataclass

from edge.config import EdgeConfig
from edge.control.store import Chosen, ConfigurationStore, store_path
from edge.errors import ConfigError
from edge.plant import Plant
from shared.clock import Clock
from shared.control.keys import parse_key


@dataclass(frozen=True, slots=True)
class Standing:
    """Of an agent whose local file has `control`."""

    local: EdgeConfig
    central: bytes
    store: ConfigurationStore
    chosen: Chosen


def take_stand(local: EdgeConfig, clock: Clock) -> Standing | None:
    """Choose the configuration to start with; None where the local file obeys nobody.

    Raises `ConfigError` where the choice cannot be kept.
    """
    if local.control is None:
        return None
    central = parse_key(local.control.central_key, "Central's key")
    path = store_path(local.outbox.path)
    store = ConfigurationStore(path, central)
    try:
        chosen = store.choose(local, lambda config: _usable(config, clock))
    except OSError as error:
        raise ConfigError(f"The pushed configurations in {path} cannot be kept: {error.strerror}.") from None
    return Standing(local, central, store, chosen)


def _usable(config: EdgeConfig, clock: Clock) -> None:
    try:
        Plant(config, clock).keyring.close()
    except ConfigError:
        raise
    except Exception as error:
        # Whatever a configuration does to a driver of ours, the one before must get its chance.
        raise ConfigError(f"The configuration {config.number} cannot be put on the lines: {error!r}.") from None
