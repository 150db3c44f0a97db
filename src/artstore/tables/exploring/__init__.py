"""
Looking at a table of any size: windows, counts, facets and groups of a selection of its rows.

docs/explanation/exploring-tables.md tells how a window of a hundred million rows is found.
"""

from artstore.tables.exploring.answers import (
    ColumnInfo,
    Count,
    Facet,
    Group,
    Groups,
    Summary,
    ValueCount,
    Window,
)
from artstore.tables.exploring.compared import CompareCounts, ComparedTables, SideCounts
from artstore.tables.exploring.comparekeys import CompareKey, default_key, possible_keys
from artstore.tables.exploring.concatenated import Concatenated
from artstore.tables.exploring.confusing import Confusion, confusion
from artstore.tables.exploring.explored import ExploredTable
from artstore.tables.exploring.quickconditions import QUICK_NAMES, quick_condition, side_counts
from artstore.tables.exploring.samerow import RowFound, same_row
from artstore.tables.exploring.scattering import POINTS_MAX, points
from artstore.tables.exploring.selection import Selection, SortKey
from artstore.tables.exploring.sidecolumns import SideColumn
from artstore.tables.exploring.tickets import QueryLimits, Ticket, interruptible

__all__ = [
    "POINTS_MAX",
    "QUICK_NAMES",
    "ColumnInfo",
    "CompareCounts",
    "CompareKey",
    "ComparedTables",
    "Concatenated",
    "Confusion",
    "Count",
    "ExploredTable",
    "Facet",
    "Group",
    "Groups",
    "QueryLimits",
    "RowFound",
    "Selection",
    "SideColumn",
    "SideCounts",
    "SortKey",
    "Summary",
    "Ticket",
    "ValueCount",
    "Window",
    "confusion",
    "default_key",
    "interruptible",
    "points",
    "possible_keys",
    "quick_condition",
    "same_row",
    "side_counts",
]
