"""Configuration of a concentrator: its shape, and the rules that go beyond shape.

The concentrator judges what it is to run, and central what it is about to send, by the same rules.
"""

from shared.edge_config.judge import ConfigFault, judge

__all__ = ["ConfigFault", "judge"]
