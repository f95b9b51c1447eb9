"""A configuration that central pushed, against the local file: what it may change, and what stays the machine's own."""

from typing import Any, Final

import msgspec

from edge.config import EdgeConfig, check_config, decode_json
from edge.errors import ConfigError
from shared.control.messages import Configuration

LOCAL: Final = ("edge", "mqtt", "outbox", "control", "page")
"""What a pushed configuration may leave out: the local file's stands then."""


def parse_pushed(configuration: Configuration, local: EdgeConfig) -> EdgeConfig:
    """The configuration of the message, checked whole; raises `ConfigError` with all that is wrong."""
    source = f"pushed configuration {configuration.number}"
    data = decode_json(configuration.body, source)
    if not isinstance(data, dict):
        raise ConfigError(f"The configuration {source} must be a JSON object; found {type(data).__name__}.")
    own = {name: msgspec.to_builtins(getattr(local, name)) for name in LOCAL}
    config = check_config({**own, "number": configuration.number, **data}, source)
    found = [f"The configuration {source}, at {problem}" for problem in _refused(config, configuration, local)]
    if found:
        raise ConfigError("\n".join(found))
    return config


def _refused(config: EdgeConfig, configuration: Configuration, local: EdgeConfig) -> list[str]:
    found = []
    if configuration.edge != local.edge or config.edge != local.edge:
        other = configuration.edge if configuration.edge != local.edge else config.edge
        found.append(f"edge: it is for {other!r}, and this concentrator is {local.edge!r}.")
    if config.number != configuration.number:
        found.append(f"number: it is {config.number}, but was sent as {configuration.number}; both must agree.")
    found += [
        f"{place}: {_shown(now)} differs from the local file's {_shown(was)}; change it there and restart the agent, "
        "or leave it out."
        for place, was, now in (
            ("mqtt", local.mqtt, config.mqtt),
            ("outbox.path", local.outbox.path, config.outbox.path),
            ("control", local.control, config.control),
            ("page", local.page, config.page),
        )
        if was != now
    ]
    return found


def _shown(value: Any) -> str:
    return msgspec.json.encode(value).decode()
