"""All rules of the validation stage and their inputs. A module of rules adds its tuples here; nothing registers itself.

The rules on blocks (central.readings.vee.evidence_rules) are judged by consolidation, which alone sees them.
"""

from central.readings.vee import (
    balance_rules,
    content_rules,
    inputs,
    limit_rules,
    register_inputs,
    register_rules,
    sibling_rules,
)
from central.readings.vee.rule import Input, Rule

RULES: tuple[Rule, ...] = (
    *content_rules.RULES,
    *limit_rules.RULES,
    *sibling_rules.RULES,
    *register_rules.RULES,
    *balance_rules.RULES,
)
INPUTS: tuple[Input, ...] = (*inputs.INPUTS, *register_inputs.INPUTS, *balance_rules.INPUTS)
