"""What the database refused, said in a sentence."""

from sqlalchemy.exc import IntegrityError

from central.platform.errors import BadInput, DomainError, Refused


def explain(error: IntegrityError) -> DomainError:
    """The domain error for a broken constraint: overlap, repetition, missing reference, value out of rule."""
    diagnostics = getattr(error.orig, "diag", None)
    state = getattr(diagnostics, "sqlstate", None)
    constraint = getattr(diagnostics, "constraint_name", None) or "a constraint"
    table = str(getattr(diagnostics, "table_name", None) or "row").replace("_", " ")
    detail = getattr(diagnostics, "message_detail", None) or str(error.orig)
    match state:
        case "23P01":
            return Refused("overlap", f"The validity of this {table} overlaps one that is stored. {detail}")
        case "23505":
            return Refused("exists", f"Such a {table} is stored already. {detail}")
        case "23503":
            return Refused("reference", f"This {table} names something that is not there, or is still used. {detail}")
        case "23502":
            column = getattr(diagnostics, "column_name", None)
            return BadInput("incomplete", f"A {table} needs a value of {column}; give one.")
        case _:
            return BadInput("out_of_rule", f"This {table} breaks the rule {constraint}. {detail}")
