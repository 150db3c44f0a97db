"""Groups of runs as people read them."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlencode

from artstore.web.opening import open_site
from tests.trees import open_at
from tests.unit.web.conftest import MakeClient
from tests.unit.web.runshelf import fill_runs


def test_a_group_tells_a_range_only_of_what_differs_and_durations_as_such(
    tmp_path: Path, make_client: MakeClient
) -> None:
    client = make_client(open_site(fill_runs(open_at(tmp_path / "store", project="lab"))))
    query = {"group": "config.lr", "where": "id LIKE 'r%'", "columns": "summary.acc,duration"}
    text = client.get(f"/p/lab/runs?{urlencode(query)}").text
    cells = re.findall(r'<td class="number">([^<]+?)(?: <small>([^<]*)</small>)?</td>', text)
    told = [(mean.strip(), spread) for mean, spread in cells]
    assert ("0.35", "0.2 to 0.5") in told
    assert ("1h 02m", "") in told
