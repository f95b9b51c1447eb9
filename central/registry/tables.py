"""Tables of the registry: who, where, under what contract, since when."""

from central.registry.condition_tables import point_condition as point_condition
from central.registry.contract_tables import contract as contract
from central.registry.contract_tables import contract_amendment as contract_amendment
from central.registry.contract_tables import contract_item as contract_item
from central.registry.contract_tables import contract_past as contract_past
from central.registry.contract_tables import item_tariff_change as item_tariff_change
from central.registry.contract_tables import payment_calendar as payment_calendar
from central.registry.contract_tables import processing_period as processing_period
from central.registry.party_tables import contract_account as contract_account
from central.registry.party_tables import network_area as network_area
from central.registry.party_tables import number_series as number_series
from central.registry.party_tables import party as party
from central.registry.party_tables import party_account as party_account
from central.registry.party_tables import party_address as party_address
from central.registry.party_tables import party_contact as party_contact
from central.registry.party_tables import party_past as party_past
from central.registry.point_tables import gas_capacity as gas_capacity
from central.registry.point_tables import reserved_capacity as reserved_capacity
from central.registry.point_tables import site_object as site_object
from central.registry.point_tables import supply_point as supply_point
from central.registry.point_tables import supply_point_past as supply_point_past
