"""The checks that come with a release; one file each."""

from central.checks.framework import Check
from central.checks.standard.accepted_by_ote import AcceptedByOte
from central.checks.standard.amendment import Amendment
from central.checks.standard.breaker import BreakerAndRate
from central.checks.standard.completeness import Completeness
from central.checks.standard.continuity import Continuity
from central.checks.standard.deviation import Deviation
from central.checks.standard.duplicates import Duplicates
from central.checks.standard.estimates import Estimates
from central.checks.standard.measured_interval import MeasuredInterval
from central.checks.standard.message_price import MessagePrice
from central.checks.standard.node_balance import NodeBalance
from central.checks.standard.one_price import OnePrice
from central.checks.standard.operator_of_code import OperatorOfCode
from central.checks.standard.operators import Operators
from central.checks.standard.received_invoice import ReceivedInvoices
from central.checks.standard.registration import Registration
from central.checks.standard.reserved_capacity import ReservedCapacity
from central.checks.standard.rounded_price import RoundedPrice
from central.checks.standard.unit_price import UnitPriceNotZero
from central.checks.standard.verification import Verification

STANDARD: tuple[Check, ...] = (
    ReservedCapacity(),
    MeasuredInterval(),
    OnePrice(),
    MessagePrice(),
    UnitPriceNotZero(),
    BreakerAndRate(),
    ReceivedInvoices(),
    Operators(),
    Duplicates(),
    OperatorOfCode(),
    Amendment(),
    RoundedPrice(),
    Completeness(),
    Continuity(),
    Deviation(),
    Estimates(),
    NodeBalance(),
    Verification(),
    AcceptedByOte(),
    Registration(),
)
"""In the order of their numbers."""
