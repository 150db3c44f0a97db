"""
How many requests each command may send: on a bucket, requests are time and money.

The limits are those of the issue and of PROTOCOL section 5. That the table in
docs/explanation/requests-and-cost.md has today's numbers is tested beside this.
"""

from __future__ import annotations

from tests.budgets import story
from tests.budgets.story import Requests


def by_method(requests: Requests) -> dict[str, int]:
    counts: dict[str, int] = {}
    for request, count in requests.items():
        counts[request.method] = counts.get(request.method, 0) + count
    return counts


def by_room(requests: Requests, method: str) -> dict[str, int]:
    return {asked.room: count for asked, count in requests.items() if asked.method == method}


Sent = dict[str, Requests]


def test_an_unchanged_push_asks_what_is_newest_and_writes_nothing(sent: Sent) -> None:
    requests = sent[story.PUSH_AGAIN]
    assert requests.total() <= 3
    assert set(by_method(requests)) == {"GET", "LIST"}
    assert by_room(requests, "GET") == {"artstore.json": 1}


def test_a_first_push_of_2000_small_files_writes_few_large_objects(sent: Sent) -> None:
    writes = by_room(sent[story.FIRST_PUSH], "PUT")
    assert sum(writes.values()) < 12
    # 40 MB in packs of 16 MiB, and one pack for the list of files.
    assert writes == {"packs": 4, "manifests": 1, "index": 1, "collections": 2}


def test_a_push_reads_nothing_but_logs_and_lists_before_the_first_version(sent: Sent) -> None:
    requests = sent[story.FIRST_PUSH]
    assert by_room(requests, "GET") == {"artstore.json": 1}
    assert by_room(requests, "LIST") == {"collections": 1, "upkeep": 2, "index": 1}


def test_a_small_change_writes_one_entry_one_root_one_index_and_two_packs(sent: Sent) -> None:
    writes = by_room(sent[story.PUSH_CHANGES], "PUT")
    assert writes == {"packs": 2, "manifests": 1, "index": 1, "collections": 1}


def test_no_command_of_everyday_deletes_or_overwrites(sent: Sent) -> None:
    for command, requests in sent.items():
        assert set(by_method(requests)) <= {"GET", "HEAD", "LIST", "PUT"}, command


def test_a_cold_pull_reads_few_large_ranges(sent: Sent) -> None:
    requests = sent[story.FIRST_PULL]
    # 2,000 files would be 2,000 requests, were they objects.
    assert by_room(requests, "GET")["packs"] <= 16
    assert by_room(requests, "LIST") == {"collections": 1}
    assert "PUT" not in by_method(requests)


def test_a_second_pull_of_a_version_reads_nothing_of_it(sent: Sent) -> None:
    for command in (story.PULL_AGAIN, story.PULL_AGAIN_BY_NUMBER):
        assert sent[command] == {("LIST", "collections"): 1, ("GET", "artstore.json"): 1}


def test_a_pull_of_a_small_change_reads_what_changed(sent: Sent) -> None:
    requests = sent[story.PULL_CHANGES]
    assert requests.total() <= 10
    assert by_room(requests, "GET")["packs"] <= 3


def test_one_file_of_a_million_costs_one_segment_and_one_range(sent: Sent) -> None:
    requests = sent[story.ONE_FILE]
    assert by_room(requests, "GET")["packs"] == 2
    assert by_room(requests, "GET")["manifests"] == 1
    assert requests.total() <= 8


def test_moving_an_alias_is_one_write(sent: Sent) -> None:
    assert by_room(sent[story.ALIAS], "PUT") == {"collections": 1}
    assert sent[story.ALIAS].total() <= 6


def test_what_is_shown_costs_a_request_for_the_log_and_one_for_what_is_new(sent: Sent) -> None:
    for command, most in ((story.LIST, 4), (story.LOG, 8), (story.SHOW, 4)):
        assert sent[command].total() <= most, command
        assert "PUT" not in by_method(sent[command])


def test_a_check_of_runs_lists_them_once_and_reads_each_entry_once(sent: Sent) -> None:
    requests = sent[story.CHECK_RUNS]
    assert by_room(requests, "GET")["runs"] == 3 * story.RUN_COUNT
    assert by_room(requests, "LIST")["runs"] == 1
    assert "HEAD" not in by_method(requests)


def test_reading_what_runs_wrote_is_one_more_request_for_each_value(sent: Sent) -> None:
    more = sent[story.CHECK_DATA_OF_RUNS] - sent[story.CHECK_RUNS]
    assert more == {("GET", "runs"): 5 * story.RUN_COUNT}


def test_counting_runs_costs_one_read_for_each_and_no_listing_of_their_own(sent: Sent) -> None:
    requests = sent[story.COUNT_RUNS]
    assert by_room(requests, "GET")["runs"] == story.RUN_COUNT
    assert "runs" not in by_room(requests, "LIST")


def test_one_run_is_verified_without_a_look_at_the_others(sent: Sent) -> None:
    requests = sent[story.VERIFY_RUN]
    assert by_room(requests, "LIST") == {"activity": 1, "runs": 2}
    # Its entries twice: to know what it is called, and to check them.
    assert by_room(requests, "GET")["runs"] == 2 * 3 + 5
