"""All rules and their inputs. A module of rules adds its tuple here; nothing registers itself."""

from central.readings.vee.rule import Input, Rule

RULES: tuple[Rule, ...] = ()
INPUTS: tuple[Input, ...] = ()
