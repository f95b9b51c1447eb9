"""Configuration of one concentrator: its shape, and the rules that go beyond shape.

A configuration is checked whole before any of it is used. Unknown fields are refused, because a misspelt field that is
silently ignored is a meter that is silently not read.
"""

from edge.config.load import check_config, decode_json, load_config, parse_config
from edge.config.model import (
    Address,
    BusConfig,
    ControlConfig,
    Conventions,
    DeviceConfig,
    EdgeConfig,
    IdentityConfig,
    Iec62056Config,
    KeySource,
    LiveConfig,
    MqttConfig,
    OutboxConfig,
    PageConfig,
    ProfileConfig,
    ProfileRegister,
    Protocol,
    SecurityConfig,
    SerialLink,
    StateRegister,
    States,
    StatesConfig,
    TcpLink,
    UplinkConfig,
)

__all__ = [
    "Address",
    "BusConfig",
    "ControlConfig",
    "Conventions",
    "DeviceConfig",
    "EdgeConfig",
    "IdentityConfig",
    "Iec62056Config",
    "KeySource",
    "LiveConfig",
    "MqttConfig",
    "OutboxConfig",
    "PageConfig",
    "ProfileConfig",
    "ProfileRegister",
    "Protocol",
    "SecurityConfig",
    "SerialLink",
    "StateRegister",
    "States",
    "StatesConfig",
    "TcpLink",
    "UplinkConfig",
    "check_config",
    "decode_json",
    "load_config",
    "parse_config",
]
