"""Where the time of a call goes: the parts are those of the call that is named, and the share is theirs."""

from __future__ import annotations

import pytest

from subpixel.benchmarks.budget import Budget, budgets, table


def test_the_share_is_of_all_that_is_no_network() -> None:
    line = Budget("a-x2", "png", "jpg", decode=0.01, network=0.2, around=0.02, encode=0.03, whole=0.27)
    assert line.rest == pytest.approx(0.3)
    assert "| a-x2 | png | jpg | 10 | 200 | 20 | 30 | 270 | 30% |\n" in table([line])


def test_each_file_format_is_read_and_written() -> None:
    lines = list(budgets(["espcn-x2"], size=(90, 160), runs=1))
    found = [(line.source, line.target) for line in lines]
    assert found == [("png", "png"), ("png", "jpg"), ("jpg", "png"), ("jpg", "jpg")]
    for line in lines:
        assert min(line.decode, line.network, line.encode, line.whole) > 0
