"""Arrow without pandas, where no user of pandas can be."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from artstore.tables.withoutpandas import leave_pandas_out
leave_pandas_out()
import pyarrow as pa
array = pa.array([1, 2])
assert pa.chunked_array([array]).to_numpy().tolist() == [1, 2]
assert "pandas" not in sys.modules
# Who wants it has it.
assert pa.table({"a": [1, 2]}).to_pandas()["a"].tolist() == [1, 2]
import pandas as pd
assert pa.array(pd.Series([1.0, None]), from_pandas=True).null_count == 1
assert not [finder for finder in sys.meta_path if "artstore" in type(finder).__module__]
"""

LATE = """
import sys
import pandas as pd
import pyarrow as pa
from artstore.tables.withoutpandas import leave_pandas_out
leave_pandas_out()
assert pa.array(pd.Series([1.0, None]), from_pandas=True).null_count == 1
"""


def run(program: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_arrow_does_not_import_pandas_to_ask_what_it_was_given_and_does_so_when_asked_for_it() -> (
    None
):
    run(PROGRAM)


def test_pandas_that_is_there_already_stays_known() -> None:
    run(LATE)
