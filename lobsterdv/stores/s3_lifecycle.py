"""Lifecycle rules of a bucket, as boto3 takes and gives them: ours beside other people's. Pure.

A bucket has one list of rules, which is written whole; whoever writes it keeps what others put there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from lobsterdv.stores.tiered import RULE_NAME, TierRule

Rule = Mapping[str, Any]


def merged(old: Sequence[Rule], rules: Sequence[TierRule], *, prefix: str, abort_days: int) -> list[dict[str, Any]]:
    """The bucket's rules with ``rules`` among them, and one that aborts unfinished uploads below ``prefix`` (the
    store's own, with its slash). A rule of ours is replaced by its name; every other one stays, in its place."""
    wanted = {rule["ID"]: rule for rule in (_as_rule(rule, prefix) for rule in rules)}
    if not any(_aborts(rule, prefix) for rule in old):
        name = _name("abort", prefix)
        wanted[name] = {
            "ID": name,
            "Status": "Enabled",
            "Filter": {"Prefix": prefix},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": abort_days},
        }
    kept = [dict(wanted.pop(str(rule.get("ID", "")), rule)) for rule in old]
    return [*kept, *wanted.values()]


def tier_rules_in(rules: Sequence[Rule], *, prefix: str) -> list[TierRule]:
    """Those that ``merged`` put there for this prefix and that are in force."""
    found = []
    for rule in rules:
        both = rule.get("Filter", {}).get("And", {})
        tags, moves = both.get("Tags", []), rule.get("Transitions", [])
        if rule.get("Status") != "Enabled" or len(tags) != 1 or len(moves) != 1:
            continue
        if rule.get("ID") != _name(f"tier-{moves[0].get('StorageClass')}", prefix):
            continue  # somebody else's, or ours for another remote in this bucket
        if not str(both.get("Prefix", "")).startswith(prefix):
            continue
        tag = tags[0]["Key"], tags[0]["Value"]
        found.append(TierRule(both["Prefix"][len(prefix) :], tag, moves[0]["StorageClass"], moves[0].get("Days", 0)))
    return found


def _as_rule(rule: TierRule, prefix: str) -> dict[str, Any]:
    name, value = rule.tag
    return {
        "ID": _name(f"tier-{rule.storage_class}", prefix),
        "Status": "Enabled",
        "Filter": {"And": {"Prefix": prefix + rule.prefix, "Tags": [{"Key": name, "Value": value}]}},
        "Transitions": [{"Days": rule.days, "StorageClass": rule.storage_class}],
    }


def _aborts(rule: Rule, prefix: str) -> bool:
    """Whether a rule aborts unfinished uploads of everything below the prefix, ours included."""
    if rule.get("Status") != "Enabled" or not rule.get("AbortIncompleteMultipartUpload", {}).get("DaysAfterInitiation"):
        return False
    narrowed = rule.get("Filter", {})
    where = narrowed.get("Prefix", rule.get("Prefix", "")) if set(narrowed) <= {"Prefix"} else None
    return where is not None and prefix.startswith(str(where))


def _name(what: str, prefix: str) -> str:
    """A rule's name: one for each kind and prefix, in at most 255 characters."""
    return f"{RULE_NAME}-{what}-{hashlib.sha256(prefix.encode()).hexdigest()[:12]}"
