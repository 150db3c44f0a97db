"""
Conditions and values as text: SQL or Mongo, compiled to expressions of Ibis.

docs/reference/expressions.md tells both languages. Neither is ever evaluated by Python
or put into SQL as text.
"""

from artstore.tables.expressions.aggregates import AGGREGATES, parse_aggregate
from artstore.tables.expressions.reading import parse_condition, parse_value
from artstore.tables.expressions.scope import Scope

__all__ = ["AGGREGATES", "Scope", "parse_aggregate", "parse_condition", "parse_value"]
