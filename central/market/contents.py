"""From records to bytes and back for every message: one function each way, whatever format a code has."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec

from central.market import cdsdata, response
from central.market.cdsdata_reader import read_interval_root
from central.market.envelope import Envelope, read_envelope
from central.market.errors import FormatError, InboundError, OutboundError
from central.market.format_package import FormatPackage
from central.market.gas import edigas
from central.market.mapping.read import Read, read_root
from central.market.mapping.write import write_message
from central.market.payloads import (
    billing_data,
    claims,
    distribution_invoice,
    gas_billing,
    gas_billing_rules,
    gas_master_data,
    gas_requests,
    lds_report,
    master_data,
    meter_states,
    requests,
    service_monitor,
    supplier_switch,
)
from central.market.xml import DEFAULT_LIMITS, XmlLimits, parse_untrusted


@dataclass(frozen=True, slots=True)
class Content:
    """The record of a format's payload, and what must hold in it beyond the schema."""

    kind: type[msgspec.Struct]
    problems: Callable[[Any], list[str]]


CONTENTS: Final[dict[str, Content]] = {
    master_data.FORMAT: Content(master_data.MasterData, master_data.problems),
    meter_states.FORMAT: Content(meter_states.MeterStates, meter_states.problems),
    billing_data.FORMAT: Content(billing_data.BillingData, billing_data.problems),
    distribution_invoice.FORMAT: Content(distribution_invoice.DistributionInvoices, distribution_invoice.problems),
    lds_report.FORMAT: Content(lds_report.NetworkReports, lds_report.problems),
    requests.FORMAT: Content(requests.DataRequest, requests.problems),
    claims.FORMAT: Content(claims.Claims, claims.problems),
    supplier_switch.FORMAT: Content(supplier_switch.SupplierSwitch, supplier_switch.problems),
    service_monitor.FORMAT: Content(service_monitor.MonitorReport, service_monitor.problems),
    gas_billing.FORMAT: Content(gas_billing.GasBillings, gas_billing_rules.problems),
    gas_master_data.FORMAT: Content(gas_master_data.GasMasterData, gas_master_data.problems),
    gas_requests.FORMAT: Content(gas_requests.GasRequest, gas_requests.problems),
    gas_requests.EDIGAS_FORMAT: Content(gas_requests.GasRequest, gas_requests.problems),
    claims.GAS_FORMAT: Content(claims.Claims, claims.problems),
}
"""By format. Interval data (121) and answers (RESPONSE, GASRESPONSE) have records and writers of their own."""
_BY_RECORD: Final[dict[type, Content]] = {content.kind: content for content in CONTENTS.values()}
OF_CODES: Final[dict[str, Content]] = {
    master_data.BULK: Content(master_data.MasterData, master_data.problems_of_bulk),
}
"""Codes of which more is asked than of their format."""
Payload = msgspec.Struct | cdsdata.IntervalData | response.Response


def content_of(package: FormatPackage, code: str) -> Content:
    """The record of a message code; FormatError where the code is unknown or its format has no record of ours."""
    format_name = package.message(code).format
    if code in OF_CODES:
        return OF_CODES[code]
    if format_name not in CONTENTS or code == cdsdata.INTERVAL_DATA:
        raise FormatError("no_record", f"The message {code} ({format_name}) has no record that a mapping writes.")
    return CONTENTS[format_name]


def write_any(package: FormatPackage, envelope: Envelope, payload: Payload) -> bytes:
    """The message of its record, valid by its schema; OutboundError where record or schema do not allow it."""
    if isinstance(payload, cdsdata.IntervalData):
        return cdsdata.write_interval_data(package, replace(payload, envelope=envelope))
    if isinstance(payload, response.Response):
        return response.write_response(package, replace(payload, envelope=envelope))
    if isinstance(payload, edigas.GasMeterData):
        return edigas.write(package, envelope, payload)
    content = content_of(package, envelope.code)
    if not isinstance(payload, content.kind):
        raise OutboundError(
            "wrong_record",
            f"The message {envelope.id} ({envelope.code}) is given a {type(payload).__name__}, expected a "
            f"{content.kind.__name__}.",
        )
    if found := content.problems(payload):
        raise OutboundError("content", f"The message {envelope.id} ({envelope.code}) is not right. {' '.join(found)}")
    return write_message(package, envelope, payload)


def read_any(package: FormatPackage, content: bytes, limits: XmlLimits = DEFAULT_LIMITS) -> Read[Any]:
    """The envelope and the record of a message received; InboundError where it cannot be understood.

    Of 121 the record is an IntervalData, of EDIGAS a GasMeterData, of an answer a Response. What breaks a rule of ours
    is read all the same: `problems_of` says it.
    """
    root = parse_untrusted(content, limits)
    if edigas.is_data(package, root):
        return edigas.read(package, root)
    format_name, envelope = read_envelope(root, package)
    if envelope.code == cdsdata.INTERVAL_DATA:
        return Read(envelope, read_interval_root(package, root), {})
    if format_name in response.FORMATS:
        return Read(envelope, response.read_response_root(package, root), {})
    if format_name not in CONTENTS:
        raise InboundError("no_reader", f"The message {envelope.id} is {format_name}, which nothing here reads.")
    return read_root(package, root, CONTENTS[format_name].kind, format_name)


def problems_of(read: Read[Any]) -> list[str]:
    """What is not right in a message that was read, one sentence each; interval data and answers have no such rules."""
    content = OF_CODES.get(read.envelope.code) or _BY_RECORD.get(type(read.payload))
    return content.problems(read.payload) if content is not None else []
