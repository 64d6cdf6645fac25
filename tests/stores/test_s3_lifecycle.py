"""Lifecycle rules: whoever writes the list writes all of it, and a rule of somebody else that is lost deletes data, or
does not."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lobsterdv.stores.s3_lifecycle import merged, tier_rules_in
from lobsterdv.stores.tiered import TierRule
from tests.formats.strategies import moderate

CLASSES = ["GLACIER_IR", "GLACIER", "DEEP_ARCHIVE", "STANDARD_IA"]
PREFIXES = st.sampled_from(["", "lab/", "lab/a/", "la"])
ABORT = {"DaysAfterInitiation": 3}


def wanted(storage_class: str, days: int = 0) -> TierRule:
    return TierRule("objects/", ("lobsterdv-tier", storage_class), storage_class, days)


foreign_rules = st.fixed_dictionaries(
    {"Status": st.sampled_from(["Enabled", "Disabled"])},
    optional={
        "ID": st.text("abc-", max_size=6),
        "Filter": st.sampled_from(
            [{}, {"Prefix": ""}, {"Prefix": "lab/"}, {"Tag": {"Key": "k", "Value": "v"}}, {"And": {"Prefix": "lab/"}}]
        ),
        "Expiration": st.just({"Days": 5}),
        "AbortIncompleteMultipartUpload": st.just(ABORT),
    },
)
ours = st.lists(
    st.builds(wanted, st.sampled_from(CLASSES), st.integers(0, 90)),
    max_size=3,
    unique_by=lambda rule: rule.storage_class,
)


@moderate
@given(st.lists(foreign_rules, max_size=5), ours, PREFIXES)
def test_others_stay_ours_are_there_and_again_changes_nothing(
    old: list[dict[str, Any]], rules: list[TierRule], prefix: str
) -> None:
    new = merged(old, rules, prefix=prefix, abort_days=7)
    assert new[: len(old)] == old, "in their places"
    assert tier_rules_in(new, prefix=prefix) == rules
    assert merged(new, rules, prefix=prefix, abort_days=7) == new
    assert any("AbortIncompleteMultipartUpload" in rule and rule["Status"] == "Enabled" for rule in new)


@moderate
@given(st.lists(st.tuples(PREFIXES, ours), max_size=4))
def test_remotes_in_one_bucket_do_not_take_each_others(installed: list[tuple[str, list[TierRule]]]) -> None:
    found: list[dict[str, Any]] = []
    model: dict[str, dict[str, TierRule]] = {}
    for prefix, rules in installed:
        found = merged(found, rules, prefix=prefix, abort_days=7)
        model.setdefault(prefix, {}).update({rule.storage_class: rule for rule in rules})
    for prefix, by_class in model.items():
        assert {rule.storage_class: rule for rule in tier_rules_in(found, prefix=prefix)} == by_class
    names = [rule["ID"] for rule in found]
    assert len(names) == len(set(names))


def test_a_rule_that_aborts_less_than_ours_does_not_count() -> None:
    for place in ({"Filter": {"Prefix": "lab/objects/"}}, {"Filter": {"Tag": {"Key": "k", "Value": "v"}}}):
        narrow = {"ID": "x", "Status": "Enabled", "AbortIncompleteMultipartUpload": ABORT, **place}
        assert len(merged([narrow], [], prefix="lab/", abort_days=7)) == 2
    for place in ({"Filter": {"Prefix": "la"}}, {"Filter": {}}, {"Prefix": ""}):
        wide = {"ID": "x", "Status": "Enabled", "AbortIncompleteMultipartUpload": ABORT, **place}
        assert merged([wide], [], prefix="lab/", abort_days=7) == [wide]
        assert len(merged([{**wide, "Status": "Disabled"}], [], prefix="lab/", abort_days=7)) == 2


def test_a_rule_of_ours_that_was_switched_off_is_not_in_force_and_is_switched_on_again() -> None:
    rules = [wanted("GLACIER")]
    off = [{**rule, "Status": "Disabled"} for rule in merged([], rules, prefix="lab/", abort_days=7)]
    assert tier_rules_in(off, prefix="lab/") == []
    assert merged(off, rules, prefix="lab/", abort_days=7) == merged([], rules, prefix="lab/", abort_days=7)
