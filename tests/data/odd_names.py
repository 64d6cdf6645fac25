"""Paths that must never be used, and odd ones that people really have and must get back to the byte."""

from __future__ import annotations

from typing import Final

_GIT: Final = [
    ".git", ".git/config", ".git/hooks/post-checkout", "a/.git", "a/.git/b", ".GIT", ".Git/x", "a/.gIt/x",
    ".git.", ".git..", ".git ", ".git . .", ".git./x", ".git /x", ".git:x", ".git::$INDEX_ALLOCATION",
    ".git::$INDEX_ALLOCATION/config", "a/.git:b/c", "git~1", "GIT~1/x", "a/git~1", "git~2", "git~1.", "git~1 ",
    ".g\u200cit", ".\u200dgit/x", "\ufeff.git", ".git\u200e", "a/.g\u202ait/b", ".gi\u2066t", ".g\u200bit",
]  # fmt: skip
_CLIMBING: Final = [
    "..", ".", "../a", "a/..", "a/../b", "a/../../b", "./a", "a/.", "a/./b", "/..", "../", "./", "../../../etc/passwd",
    "a/b/../../../c", "..\\a", "a\\..\\b", "..\\..\\windows\\system32", "\\\\server\\share", "\\a", "a\\b", "\\",
]  # fmt: skip
_ABSOLUTE: Final = [
    "/", "/a", "//", "//a", "/etc/passwd", "//server/share", "C:", "C:/", "C:/x", "c:x", "Z:\\x", "a:", "a:b", "A:/..",
]  # fmt: skip
_EMPTY: Final = ["", "a//b", "a/", "a//", "//", "a/b/", "/a/", "///"]
_CONTROL: Final = [
    *(chr(n) for n in (*range(32), *range(0x7F, 0xA0))),
    "a\x00", "a\x00b", "\x00/etc", "a\nb", "a\r", "a\tb", "\x1b[2Ja", "a\x1b]0;title\x07", "a\x08b", "a\x85b", "a\x9bb",
]  # fmt: skip
_NOT_UNICODE: Final = ["\ud800", "a\udc80", "\udcff/b", "a/\udfff", "ab\ud83e", "\udcc3\udca9"]
_LONG: Final = ["x" * 256, "a/" + "x" * 256, "é" * 128, "🦞" * 64, "/".join(["x" * 255] * 16) + "/y", "a/" * 2048 + "a"]

HOSTILE: Final = [*dict.fromkeys([*_GIT, *_CLIMBING, *_ABSOLUTE, *_EMPTY, *_CONTROL, *_NOT_UNICODE, *_LONG])]

FINE: Final = [
    "a", "a/b", "A", "a.b", "a b", " a", "a ", "  ", "a/ /b", "-", "-rf", "--help", "-", "--", "a/-b", "~", "~root",
    "$HOME", "$(touch x)", "`id`", "a;b", "a&b", "a|b", "a>b", "*", "?", "[a]", "a*b?", "'", '"', "'a b'", "#a", "%41",
    "100%", "%2e%2e", "ab:c", "x.y:z", "10:30", "a/b:c", "a,b", "a=b", "@", "!", "^", "{a}", "(1)", "...", "....",
    "..a", "a..", "a...", ".a", ".hidden/x", "..a/b", "a../b", ".gitignore", ".gitattributes", ".gitmodules",
    ".github/x", "a.git", "git", "git~", "git~a", "agit~1", "x.git/y", ".git-x", ".gitx", "CON", "nul", "aux.txt",
    "lpt1", "é", "e\u0301", "ß", "İ", "日本語", "細胞/試料 1", "🦞", "👩‍🔬", "a\u200db", "שלום", "مرحبا", "Ω", "µm",
    "a\u00a0b", "\u3000", "a\u2028b", "\u2029", "a\ufffdb", "\ufffe", "\U0010ffff", "a\u0300\u0301", "\u0301",
    "x" * 255, "é" * 127, "🦞" * 63, "/".join(["x" * 255] * 15), "data.ldv.yaml", ".lobsterdv.yaml", "null", "yes",
    "0123", "1e5", "ab: b", "- a", "<<", "a #b", "&a", "*a", "!a", "|", ">", "[", "{",
]  # fmt: skip

LINKS_REFUSED: Final = [
    ("a", ""), ("a", "/"), ("a", "/etc/passwd"), ("a", ".."), ("a", "../x"), ("a/b", "../../x"), ("a/b", "../.."),
    ("a/b/c", "../../../x"), ("a", "./../x"), ("a", "x/../../y"), ("a", "x/.."), ("a/b", "../x/../y"),
    ("a/b", "c/../d"),
    ("a", "x\n"), ("a", "x\x00"), ("a", "x\x1b[2J"), ("a", "\\x"), ("a", "..\\x"), ("a", "x\ud800"), ("a", "x" * 5000),
    ("a", "//x"), ("a", "x\x85"),
]  # fmt: skip
LINKS_FINE: Final = [
    ("a", "b"), ("a", "./b"), ("a", "b/"), ("a", "b//c"), ("a", "."), ("a/b", ".."), ("a/b", "../c"), ("a/b", "../"),
    ("a/b/c", "../../d/e"), ("a/b/c", ".././../d"), ("a", "..."), ("a", "..b"), ("a", "b.."), ("a", "-x"), ("a", "b c"),
    ("a", "é"), ("a", "a"), ("a", ".git"), ("a", "x:y"), ("a", "~/x"),
]  # fmt: skip
