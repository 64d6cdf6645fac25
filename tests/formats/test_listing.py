"""If these fail, a directory comes back with other files than it was recorded with, or a crafted listing writes where
it must not."""

from __future__ import annotations

import pytest
from hypothesis import given

from lobsterdv.digest import digest_of, listing_digest
from lobsterdv.errors import FormatError, UnknownFormat, UnsafePath
from lobsterdv.formats.listing import (
    Entry,
    EntryType,
    Listing,
    digest_of_listing,
    encode_listing,
    make_listing,
    parse_listing,
)
from lobsterdv.paths import SafeRelPath, safe_path
from tests.formats.strategies import damaged, listings, moderate, parses

H = "0" * 64


def parse(data: bytes) -> Listing:
    return parse_listing(data, what="listing")


def listed(*lines: str) -> bytes:
    return ("lobsterdv listing 1\n" + "".join(line + "\n" for line in lines)).encode()


@moderate
@given(listings)
def test_a_listing_is_read_back_as_written_and_written_as_read(listing: Listing) -> None:
    data = encode_listing(listing)
    assert parse(data) == listing == make_listing(reversed(listing.entries))
    assert encode_listing(parse(data)) == data
    assert digest_of_listing(listing) == listing_digest(data)


@moderate
@given(listings.flatmap(lambda listing: damaged(encode_listing(listing))))
def test_damage_is_refused_or_another_listing_with_one_encoding(data: bytes) -> None:
    found = parses(parse, data)
    assert found is None or encode_listing(found) == data  # type: ignore[arg-type]


def test_every_byte_of_a_listing_counts() -> None:
    data = listed(f"file\ta\t12\t{H}", "link\tb\ta", "dir\tc", f"exec\td/é\t0\t{H}")
    original = parse(data)
    for position in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[position] ^= 1 << bit
            found = parses(parse, bytes(changed))
            assert found is None or (found != original and encode_listing(found) == changed)  # type: ignore[arg-type]


REFUSED = {
    "no header": f"file\ta\t1\t{H}\n".encode(),
    "empty": b"",
    "header without its line end": b"lobsterdv listing 1",
    "pointer": b"lobsterdv: 1\n",
    "cut line": listed(f"file\ta\t1\t{H}")[:-1],
    "blank line": listed("", f"file\ta\t1\t{H}"),
    "CRLF": listed(f"file\ta\t1\t{H}\r"),
    "unknown type": listed(f"pipe\ta\t1\t{H}"),
    "upper case type": listed(f"FILE\ta\t1\t{H}"),
    "too few fields": listed("file\ta\t1"),
    "too many fields": listed(f"file\ta\t1\t{H}\tx"),
    "folder with size": listed("dir\ta\t1"),
    "size with zero first": listed(f"file\ta\t01\t{H}"),
    "size with sign": listed(f"file\ta\t+1\t{H}"),
    "size with space": listed(f"file\ta\t 1\t{H}"),
    "size in other digits": listed(f"file\ta\t\u0661\t{H}"),
    "negative size": listed(f"file\ta\t-1\t{H}"),
    "size 2^63": listed(f"file\ta\t{2**63}\t{H}"),
    "no size": listed(f"file\ta\t\t{H}"),
    "digest with its prefix": listed(f"file\ta\t1\tblake3:{H}"),
    "upper case digest": listed(f"file\ta\t1\t{'A' * 64}"),
    "short digest": listed(f"file\ta\t1\t{H[1:]}"),
    "out of order": listed("dir\tb", "dir\ta"),
    "twice": listed("dir\ta", "dir\ta"),
    "below a file": listed(f"file\ta\t1\t{H}", "dir\ta/b"),
    "below a link": listed("link\ta\tx", f"file\ta/b/c\t1\t{H}"),
    "below an empty folder": listed("dir\ta", "dir\ta/b"),
    "below a file, others between": listed(f"file\ta\t1\t{H}", "dir\ta-b", "dir\ta/b"),
    "not UTF-8": b"lobsterdv listing 1\ndir\t\xff\n",
    "surrogate": b"lobsterdv listing 1\ndir\t\xed\xa0\x80\n",
    "climbing": listed("dir\t../a"),
    "absolute": listed("dir\t/a"),
    "git's own": listed(f"file\t.git/hooks/post-checkout\t1\t{H}"),
    "absolute link": listed("link\ta\t/etc/passwd"),
    "climbing link": listed("link\ta/b\t../../x"),
    "empty link": listed("link\ta\t"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_anything_but_the_one_encoding_is_refused(name: str) -> None:
    with pytest.raises(FormatError):
        parse(REFUSED[name])


def test_a_newer_listing_is_refused_by_name() -> None:
    with pytest.raises(UnknownFormat) as caught:
        parse(b"lobsterdv listing 2\nwhatever\n")
    assert caught.value.found == "2"


def test_making_a_listing_sorts_it_and_refuses_what_cannot_be_checked_out() -> None:
    files = [Entry(safe_path(n), EntryType.FILE, 1, digest_of(b"x")) for n in ("b", "a/z", "a-", "Z")]
    assert [e.path for e in make_listing(files).entries] == ["Z", "a-", "a/z", "b"]
    with pytest.raises(FormatError):
        make_listing([*files, files[0]])
    with pytest.raises(FormatError):
        make_listing([*files, Entry(SafeRelPath("b/c"), EntryType.FOLDER)])


def test_order_is_that_of_the_bytes_in_every_language() -> None:
    names = ["\uffee", "\U0001f99e", "é", "z", "a b", "a/b", "a"]
    entries = [Entry(safe_path(n), EntryType.FOLDER) for n in names if n != "a"]
    made = [e.path.encode() for e in make_listing(entries).entries]
    assert made == sorted(made)


def test_sums_count_files_and_bytes_only() -> None:
    listing = parse(listed(f"file\ta\t12\t{H}", "link\tb\ta", "dir\tc", f"exec\td/e\t30\t{H}"))
    assert (listing.size, listing.files) == (42, 2)


def test_a_file_cannot_pose_as_a_directory() -> None:
    """The bytes of a listing, added as a file, have another digest than the directory it describes."""
    data = listed(f"file\ta\t12\t{H}")
    assert digest_of(data) != listing_digest(data)


@pytest.mark.parametrize("name", ["-rf", "a b", "é", "e\u0301", "🦞", "ab:c.", "100%", "'q'", '"', "$(x)", "ab\u2028c"])
def test_odd_names_are_kept_to_the_byte(name: str) -> None:
    listing = make_listing([Entry(safe_path(name), EntryType.FILE, 0, digest_of(b""))])
    assert parse(encode_listing(listing)).entries[0].path == name
    with pytest.raises(UnsafePath):
        safe_path(name + "\n")
