"""
Two versions of a table compared by key. docs/reference/table-diff.md tells it from outside.
"""

from artstore.tables.diffs.comparing import diff_tables
from artstore.tables.diffs.tablediff import ColumnChange, RowChange, TableDiff

__all__ = ["ColumnChange", "RowChange", "TableDiff", "diff_tables"]
