"""What messages received from the market do here: effects by kind of message, and what taking their proposals does."""

from central.market import cdsdata
from central.market.conversation.proposals import register_kind
from central.market.interval_import import install_reader
from central.market.payloads import (
    billing_data,
    claims,
    distribution_invoice,
    gas_billing,
    gas_master_data,
    gas_requests,
    master_data,
    requests,
    service_monitor,
    supplier_switch,
)
from central.market.received import register_effects
from central.workflow.received import (
    billing,
    claim,
    intervals,
    invoices,
    points,
    request,
    service_findings,
    switch,
    tariffs,
)


def register_all() -> None:
    """Bring the effects to the market's reader; whoever reads messages calls this, once or many times."""
    register_effects(billing_data.FORMAT, billing.effects)
    install_reader()
    register_effects(cdsdata.FORMAT, intervals.effects)
    register_effects(distribution_invoice.FORMAT, invoices.effects)
    register_effects(gas_billing.FORMAT, invoices.effects)
    register_effects(master_data.FORMAT, points.effects)
    register_effects(gas_master_data.FORMAT, points.effects)
    register_effects(supplier_switch.FORMAT, switch.effects)
    register_effects(claims.FORMAT, claim.effects)
    register_effects(claims.GAS_FORMAT, claim.gas_effects)
    register_effects(requests.FORMAT, request.effects)
    register_effects(gas_requests.FORMAT, request.gas_effects)
    register_effects(gas_requests.EDIGAS_FORMAT, request.gas_effects)
    register_effects(service_monitor.FORMAT, service_findings.effects)
    register_kind(points.KIND, points.PROPOSAL)
    register_kind(switch.KIND, switch.PROPOSAL)
    register_kind(request.KIND, request.PROPOSAL)
    register_kind(tariffs.KIND, tariffs.PROPOSAL)
    for kind in claim.STATEMENTS:
        register_kind(kind, claim.proposal_of(kind))
