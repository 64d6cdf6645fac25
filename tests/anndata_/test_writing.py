"""If these fail, saving changes the user's object, or equal work gives different versions."""

from __future__ import annotations

import pickle
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lobsterdv.anndata_ import edit
from lobsterdv.anndata_.reading import load
from lobsterdv.anndata_.writing import suffix_for, write
from lobsterdv.errors import LocalIOError, UsageError
from tests.anndata_.samples import small_anndata, small_mudata, write_legacy_h5ad


def frame() -> Any:
    return small_anndata().obs


def content(path: Path) -> dict[str, bytes]:
    if path.is_file():
        return {"": path.read_bytes()}
    return {str(p.relative_to(path)): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


FORMATS = [
    (small_anndata, "a.h5ad"),
    (small_anndata, "a.zarr"),
    (small_mudata, "m.h5mu"),
    (frame, "t.csv"),
    (frame, "t.csv.gz"),
    (frame, "t.tsv.gz"),
    (frame, "t.parquet"),
]


@pytest.mark.parametrize(("make", "name"), FORMATS)
def test_equal_objects_give_equal_bytes_at_any_time_and_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Any, name: str
) -> None:
    write(make(), tmp_path / "first", name=name)
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 86_400)
    write(make(), tmp_path / "second", name=name)
    assert content(tmp_path / "first") == content(tmp_path / "second")


@pytest.mark.parametrize(("make", "name"), FORMATS)
def test_writing_leaves_the_object_as_it_was(tmp_path: Path, make: Any, name: str) -> None:
    """anndata's own writer turns string columns into categories in the user's object; ours does not."""
    obj = make()
    before = pickle.dumps(obj)
    write(obj, tmp_path / "out", name=name)
    assert pickle.dumps(obj) == before


@pytest.mark.parametrize("name", ["a.h5ad", "a.zarr"])
def test_a_view_stays_a_view(tmp_path: Path, name: str) -> None:
    view = small_anndata()[:5]
    write(view, tmp_path / "out", name=name)
    assert view.is_view
    loaded: Any = load(tmp_path / "out", "anndata" if name == "a.h5ad" else "zarr", name=name)
    assert loaded.shape == (5, 4)


@pytest.mark.parametrize("name", ["a.h5ad", "a.zarr"])
def test_a_backed_object_stays_on_its_own_file(tmp_path: Path, name: str) -> None:
    write(small_anndata(), tmp_path / "origin", name="a.h5ad")
    backed: Any = load(tmp_path / "origin", "anndata", name="a.h5ad", backed=True)
    write(backed, tmp_path / "out", name=name)
    assert Path(backed.filename) == tmp_path / "origin"
    assert backed.X[:].shape == (12, 4)
    backed.file.close()
    if name == "a.h5ad":
        assert content(tmp_path / "out") == content(tmp_path / "origin")


def test_the_order_in_which_keys_were_set_makes_no_new_version(tmp_path: Path) -> None:
    one, two = small_anndata(), small_anndata()
    one.obsm["a"] = one.obsm["b"] = two.obsm["b"] = two.obsm["a"] = np.zeros((12, 1))
    two.uns = dict(reversed(two.uns.items()))
    write(one, tmp_path / "one", name="a.h5ad")
    write(two, tmp_path / "two", name="a.h5ad")
    assert content(tmp_path / "one") == content(tmp_path / "two")


def test_what_is_written_is_what_anndata_writes(tmp_path: Path) -> None:
    write(small_anndata(), tmp_path / "ours.h5ad", name="a.h5ad")
    small_anndata().write_h5ad(tmp_path / "theirs.h5ad")
    assert content(tmp_path / "ours.h5ad") == content(tmp_path / "theirs.h5ad")


def test_a_meaningful_index_is_kept_and_a_row_count_is_not(tmp_path: Path) -> None:
    write(frame(), tmp_path / "named", name="t.csv")
    write(frame().reset_index(drop=True), tmp_path / "counted", name="t.csv")
    assert (tmp_path / "named").read_text().startswith(",donor,leiden,n\ncell0,")
    assert (tmp_path / "counted").read_text().startswith("donor,leiden,n\n")


def test_each_type_has_its_suffix() -> None:
    assert [suffix_for(make()) for make in (small_anndata, small_mudata, frame)] == [".h5ad", ".h5mu", ".csv"]


@pytest.mark.parametrize("obj", [object(), 3, {"a": 1}, np.zeros(3)])
def test_other_types_are_refused_by_name(tmp_path: Path, obj: object) -> None:
    with pytest.raises(UsageError, match=f"{type(obj).__name__} cannot be written: expected AnnData, MuData"):
        write(obj, tmp_path / "out", name="a.h5ad")
    with pytest.raises(UsageError):
        suffix_for(obj)


@pytest.mark.parametrize("make", [small_anndata, small_mudata, frame])
def test_a_suffix_of_another_type_is_refused(tmp_path: Path, make: Any) -> None:
    with pytest.raises(UsageError, match=r"not as x\.bam"):
        write(make(), tmp_path / "out", name="x.bam")
    assert not (tmp_path / "out").exists()


def test_content_that_has_no_encoding_is_the_users_error(tmp_path: Path) -> None:
    adata = small_anndata()
    adata.uns["model"] = object()
    with pytest.raises(UsageError, match=r"this AnnData cannot be written as a\.h5ad"):
        write(adata, tmp_path / "out", name="a.h5ad")


def test_a_refusal_of_the_system_keeps_its_number(tmp_path: Path) -> None:
    with pytest.raises(LocalIOError) as caught:
        write(frame(), tmp_path / "no" / "folder", name="t.csv")
    assert caught.value.errno == 2


def test_rewriting_an_old_file_is_done_once(tmp_path: Path) -> None:
    write_legacy_h5ad(tmp_path / "old.h5ad")
    edit.rewrite(tmp_path / "old.h5ad", tmp_path / "new.h5ad")
    edit.rewrite(tmp_path / "new.h5ad", tmp_path / "again.h5ad")
    assert content(tmp_path / "new.h5ad") == content(tmp_path / "again.h5ad")


def test_an_added_column_is_the_same_each_time_and_all_else_stays(tmp_path: Path) -> None:
    write(small_anndata(), tmp_path / "a.h5ad", name="a.h5ad")
    for target in ("b.h5ad", "c.h5ad"):
        edit.add_obs_column(tmp_path / "a.h5ad", tmp_path / target, column="score")
    assert content(tmp_path / "b.h5ad") == content(tmp_path / "c.h5ad")
    before: Any = load(tmp_path / "a.h5ad", "anndata", name="a.h5ad")
    after: Any = load(tmp_path / "b.h5ad", "anndata", name="b.h5ad")
    assert after.obs["score"].dtype == "float64" and after.obs["score"].between(0, 1).all()
    assert after.obs["score"].is_unique
    assert after.obs.drop(columns="score").equals(before.obs)


def test_an_edit_in_place_never_writes_through_a_link_into_the_cache(tmp_path: Path) -> None:
    write(small_anndata(), tmp_path / "cached", name="a.h5ad")
    before = content(tmp_path / "cached")
    (tmp_path / "a.h5ad").hardlink_to(tmp_path / "cached")
    edit.add_obs_column(tmp_path / "a.h5ad", tmp_path / "a.h5ad", column="score")
    assert content(tmp_path / "cached") == before != content(tmp_path / "a.h5ad")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.h5ad", "cached"]
