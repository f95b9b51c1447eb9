"""registry: gas supply points have a pressure level and a group of the predicted consumption."""

from alembic import op

revision = "0065"
down_revision = "0063"
branch_labels = None
depends_on = None

_VIEW = """
CREATE {replace} VIEW supply_point_valid AS
    SELECT id, ean, commodity, point_type, daterange(since, NULL) AS valid, name, object, street, city, postal_code,
           voltage_level, metering_type, category, load_profile_class, temperature_zone, planned_mwh, operator,
           supplier, area, site_object, state{own}
      FROM supply_point
    UNION ALL
    SELECT sp.id, sp.ean, sp.commodity, sp.point_type, p.valid, p.name, p.object, p.street, p.city, p.postal_code,
           p.voltage_level, p.metering_type, p.category, p.load_profile_class, p.temperature_zone, p.planned_mwh,
           p.operator, p.supplier, p.area, p.site_object, p.state{past}
      FROM supply_point_past p JOIN supply_point sp ON sp.id = p.supply_point
"""
_COMMENT = """
COMMENT ON VIEW supply_point_valid IS 'Supply points at any time: a row for each time in which one state of facts held'
"""


def upgrade() -> None:
    """Facts of gas points, of electricity none; the view of all times shows them."""
    for table in ("supply_point", "supply_point_past"):
        op.execute(f"""
            ALTER TABLE {table}
              ADD COLUMN pressure_level text,
              ADD COLUMN gas_group text,
              ADD CONSTRAINT {table}_gas_facts_check
                CHECK (commodity = 'gas' OR num_nonnulls(pressure_level, gas_group) = 0)
        """)
    op.execute("""
        ALTER TABLE supply_point
          ADD CONSTRAINT supply_point_pressure_level_check CHECK (pressure_level IN ('low', 'medium', 'high'))
    """)
    told = {"own": ", pressure_level, gas_group", "past": ", p.pressure_level, p.gas_group"}
    op.execute(_VIEW.format(replace="OR REPLACE", **told))


def downgrade() -> None:
    """Without them."""
    op.execute("DROP VIEW supply_point_valid")
    op.execute(_VIEW.format(replace="", own="", past=""))
    op.execute(_COMMENT)
    for table in ("supply_point", "supply_point_past"):
        op.execute(f"ALTER TABLE {table} DROP COLUMN pressure_level, DROP COLUMN gas_group")
