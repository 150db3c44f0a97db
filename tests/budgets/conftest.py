from __future__ import annotations

import pytest

from tests.budgets.pages import Counted, count_images
from tests.budgets.story import Requests, play


@pytest.fixture(scope="session")
def sent(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Requests]:
    """The requests of each command of the story, which is played once."""
    return play(tmp_path_factory.mktemp("story"))


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Counted:
    """What was sent for a thousandth of a million images."""
    return count_images(tmp_path_factory.mktemp("images"))
