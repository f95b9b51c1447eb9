"""Signed messages: golden octets, and every octet of them counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.control import messages, signing
from shared.control.keys import key_id, signing_public
from shared.control.messages import (
    Command,
    CommandResult,
    Configuration,
    ConfigurationResult,
    ControlError,
    Disconnect,
    ReadNow,
)
from shared.control.signing import SignatureError

PRIVATE = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
"""RFC 8032, 7.1, test 1."""
PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
OTHER = bytes(range(32))

COMMAND = Command(id="c-1", edge="CONC-1", issued=1772319600000, expires=1772319900000, work=Disconnect(device="LU-1"))
CONFIGURATION = Configuration(edge="CONC-1", number=4, body=b'{"number":4}')


def test_the_key_of_the_standard_signs_here() -> None:
    assert signing_public(PRIVATE) == PUBLIC
    assert key_id(PUBLIC) == "21fe31dfa154a261"


def test_a_command_is_these_octets() -> None:
    assert messages.sign_command(COMMAND, PRIVATE).hex() == GOLDEN_COMMAND
    assert messages.open_command(bytes.fromhex(GOLDEN_COMMAND), PUBLIC) == COMMAND


def test_a_configuration_is_these_octets() -> None:
    assert messages.sign_configuration(CONFIGURATION, PRIVATE).hex() == GOLDEN_CONFIGURATION
    assert messages.open_configuration(bytes.fromhex(GOLDEN_CONFIGURATION), PUBLIC) == CONFIGURATION


def test_results_are_these_octets() -> None:
    command = CommandResult(id="c-1", outcome="done", at=5, data={"output": False})
    configuration = ConfigurationResult(number=4, runs=3, at=5, reason="The bus x is there twice.")
    assert messages.encode_result(command).hex() == GOLDEN_COMMAND_RESULT
    assert messages.encode_result(configuration).hex() == GOLDEN_CONFIGURATION_RESULT
    assert messages.decode_result(bytes.fromhex(GOLDEN_COMMAND_RESULT)) == command
    assert messages.decode_result(bytes.fromhex(GOLDEN_CONFIGURATION_RESULT)) == configuration


@pytest.mark.parametrize("kind", ["command", "configuration"])
def test_a_change_of_any_bit_is_refused(kind: str) -> None:
    message = bytes.fromhex(GOLDEN_COMMAND if kind == "command" else GOLDEN_CONFIGURATION)
    for place in range(len(message)):
        for bit in range(8):
            changed = bytearray(message)
            changed[place] ^= 1 << bit
            with pytest.raises(SignatureError):
                signing.verify(bytes(changed), kind, PUBLIC)


@given(cut=st.integers(0, 200), tail=st.binary(max_size=3))
def test_what_is_cut_or_longer_is_refused(cut: int, tail: bytes) -> None:
    message = bytes.fromhex(GOLDEN_COMMAND)
    changed = message[:cut] + tail
    if changed != message:
        with pytest.raises(SignatureError):
            messages.open_command(changed, PUBLIC)


def test_a_configuration_is_no_command_and_another_key_is_not_ours() -> None:
    with pytest.raises(SignatureError, match="expected a command"):
        messages.open_command(messages.sign_configuration(CONFIGURATION, PRIVATE), PUBLIC)
    with pytest.raises(SignatureError, match="is trusted here"):
        messages.open_command(messages.sign_command(COMMAND, OTHER), PUBLIC)


def test_the_same_content_in_longer_form_is_refused() -> None:
    message = bytes.fromhex(GOLDEN_COMMAND)
    assert message[0] == 0x95
    with pytest.raises(SignatureError, match="shortest form"):
        messages.open_command(b"\xdc\x00\x05" + message[1:], PUBLIC)


def test_what_is_signed_and_makes_no_sense_is_told_apart() -> None:
    with pytest.raises(ControlError, match="cannot be understood"):
        messages.open_command(signing.sign("command", b"\x81\xa2id\xa1x", PRIVATE), PUBLIC)
    with pytest.raises(ControlError):
        messages.decode_result(b"\xc1")


def test_an_act_with_a_field_of_another_act_is_refused() -> None:
    payload = messages._encoder.encode(COMMAND).replace(b"\xa6device\xa4LU-1", b"\xa3bus\xa5rtu-1")
    with pytest.raises(ControlError):
        messages.open_command(signing.sign("command", payload, PRIVATE), PUBLIC)
    assert ReadNow(device="LU-1").first is None


GOLDEN_COMMAND = (
    "9501a7636f6d6d616e64b032316665333164666131353461323631c45685a26964a3632d31a465646765a6434f4e432d31a6697373756564"
    "cf0000019ca67aed80a765787069726573cf0000019ca67f8160a4776f726b82a3616374aa646973636f6e6e656374a6646576696365a44c"
    "552d31c4407c410f8b7dfe49a56291bf0c457f6fff46b1f52c7a2b1c0bed520a71e6242c6d00810770ebd2393698e2b005dde6c52d8e24bc"
    "1fbd2a30a87daebf09c92bc208"
)
GOLDEN_CONFIGURATION = (
    "9501ad636f6e66696775726174696f6eb032316665333164666131353461323631c42883a465646765a6434f4e432d31a66e756d62657204"
    "a4626f6479c40c7b226e756d626572223a347dc4401974a1b85931bf91bb46484320bec5d506f54a8768f330480cae2b5f0338dbba36ca60"
    "95b7f0cdb8b73973fbfb328d87223ecd828f2089879d783aabb4317401"
)
GOLDEN_COMMAND_RESULT = (
    "86a474797065a7636f6d6d616e64a26964a3632d31a76f7574636f6d65a4646f6e65a2617405a6726561736f6ea0a46461746181a66f7574"
    "707574c2"
)
GOLDEN_CONFIGURATION_RESULT = (
    "85a474797065ad636f6e66696775726174696f6ea66e756d62657204a472756e7303a2617405a6726561736f6eb954686520627573207820"
    "69732074686572652074776963652e"
)
