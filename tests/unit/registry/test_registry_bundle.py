"""A release is what it says it is, or it is not loaded."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clm.core.files import read_json
from clm.core.hashing import sha256_file, sha256_folder
from clm.errors import InvalidInput, TamperedArtifact
from clm.registry.bundle import Bundle, BundleSpec, load_bundle, read_lineage, verify_bundle, write_bundle
from clm.settings import Paths
from syncs import SYNC, Syncs, inode

MakeSpec = Callable[..., BundleSpec]


@pytest.fixture
def bundle(make_spec: MakeSpec, paths: Paths) -> Bundle:
    return write_bundle(make_spec(), paths.releases, paths.keys)


def test_a_release_holds_all_that_serving_and_the_next_update_need(
    bundle: Bundle, make_spec: MakeSpec, paths: Paths
) -> None:
    spec = make_spec()
    loaded = load_bundle(bundle.path)
    assert loaded.release_id == bundle.release_id == bundle.path.name == sha256_file(bundle.path / "manifest.json")
    assert loaded.base_hash == spec.base_hash
    assert loaded.experts.keys() == {"intent", "facts"}
    for task, (digest, path) in loaded.experts.items():
        assert digest == sha256_folder(spec.experts[task]) == sha256_folder(path)
        assert loaded.features[task][0] == sha256_file(spec.features[task]) == sha256_file(loaded.features[task][1])
    assert spec.router is not None
    assert loaded.router is not None
    assert loaded.router[0] == sha256_folder(spec.router)
    assert loaded.composition.experts == {task: part[0] for task, part in loaded.experts.items()}
    assert read_lineage(bundle.path) == spec.expert_lineage
    assert sorted(p.name for p in (bundle.path / "tokenizer").iterdir()) == ["tokenizer.json", "tokenizer_config.json"]
    assert not list(bundle.path.rglob("model.safetensors")), "the base is named, not copied"
    assert verify_bundle(bundle.path, paths.keys) == bundle.manifest


def test_the_same_inputs_give_the_same_release_whenever_and_wherever(make_spec: MakeSpec, tmp_path: Path) -> None:
    ids: set[str] = set()
    for where in ("one", "two"):
        home = Paths(tmp_path / f"home-{where}")
        home.create()
        spec = make_spec(where=where)
        for file in (tmp_path / where).rglob("*"):
            os.utime(file, (len(where), 1000.0 + len(ids)))
        ids.add(write_bundle(spec, home.releases, home.keys).release_id)
    assert len(ids) == 1


def test_writing_twice_leaves_one_release_and_no_rest(bundle: Bundle, make_spec: MakeSpec, paths: Paths) -> None:
    before = {p: p.stat().st_mtime_ns for p in bundle.path.rglob("*")}
    assert write_bundle(make_spec(), paths.releases, paths.keys) == bundle
    assert {p: p.stat().st_mtime_ns for p in bundle.path.rglob("*")} == before
    assert list(paths.releases.iterdir()) == [bundle.path]


def test_a_release_is_on_disk_before_it_has_its_name(
    make_spec: MakeSpec, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncs = Syncs(monkeypatch)
    made = write_bundle(make_spec(), paths.releases, paths.keys).path
    before = {number for call, number in syncs.calls[: syncs.calls.index(("rename", inode(made)))] if call == SYNC}
    assert {inode(path) for path in [made, *made.rglob("*")]} <= before
    assert syncs.calls[-1] == (SYNC, inode(made.parent))


@pytest.mark.parametrize("changes", [
    {"tasks": ("intent",)},
    {"model": "other"},
    {"base_hash": "0" * 64},
    {"generation": {"max_new_tokens": 32, "temperature": 0.0}},
    {"lineage": {"parent": "a", "gate": {"tasks": ()}}},
    {"expert_lineage": {"intent": {}, "facts": {}}},
])  # fmt: skip
def test_other_inputs_give_another_release(
    bundle: Bundle, make_spec: MakeSpec, paths: Paths, changes: dict[str, Any]
) -> None:
    assert write_bundle(make_spec(**changes), paths.releases, paths.keys).release_id != bundle.release_id


def test_the_first_release_of_a_model_is_its_base(make_spec: MakeSpec, paths: Paths) -> None:
    loaded = load_bundle(write_bundle(make_spec(tasks=()), paths.releases, paths.keys).path)
    assert (loaded.experts, loaded.router, loaded.composition.router_hash) == ({}, None, None)


def test_a_base_folder_of_this_machine_leaves_only_its_name(make_spec: MakeSpec, paths: Paths) -> None:
    bundle = write_bundle(make_spec(base_reference="/somewhere/models/llama"), paths.releases, paths.keys)
    assert bundle.manifest["base"]["reference"] == "llama"


def test_damage_to_an_artifact_does_not_reach_the_release(bundle: Bundle, make_spec: MakeSpec, paths: Paths) -> None:
    (make_spec().experts["intent"] / "adapter_model.safetensors").write_bytes(b"damaged")
    verify_bundle(bundle.path, paths.keys)


def test_a_release_costs_what_is_new_in_it(
    bundle: Bundle, make_spec: MakeSpec, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is taken over from the release before is linked; it gets the same name as if all had been copied."""
    kept = bundle.path / "experts" / "intent"
    spec = make_spec(model="other")
    spec = replace(spec, experts={**spec.experts, "intent": kept})
    copied = write_bundle(spec, paths.releases, paths.keys)
    shutil.rmtree(copied.path)
    linked = write_bundle(spec, paths.releases, paths.keys, before=bundle.path)
    assert linked.release_id == copied.release_id
    verify_bundle(linked.path, paths.keys)
    for name in ("adapter_model.safetensors", "adapter_config.json"):
        assert (linked.path / "experts/intent" / name).samefile(kept / name)
    assert (linked.path / "lineage/intent.json").samefile(bundle.path / "lineage/intent.json")
    new = linked.path / "experts/facts/adapter_model.safetensors"
    assert new.stat().st_nlink == 1, "what an update made is copied"

    shutil.rmtree(linked.path)
    verify_bundle(bundle.path, paths.keys)  # nothing of it went with the other

    def no_links(*_: object) -> None:
        raise OSError("not supported here")

    monkeypatch.setattr(os, "link", no_links)
    assert write_bundle(spec, paths.releases, paths.keys, before=bundle.path).release_id == copied.release_id


def test_every_file_is_covered(bundle: Bundle, paths: Paths, tmp_path: Path) -> None:
    files = [p.relative_to(bundle.path) for p in bundle.path.rglob("*") if p.is_file()]
    assert len(files) == 13
    for name in files:
        for damage in ("flip", "cut", "remove"):
            copy = tmp_path / damage / bundle.release_id
            shutil.copytree(bundle.path, copy)
            content = bytearray((copy / name).read_bytes())
            content[len(content) // 2] ^= 1
            if damage == "remove":
                (copy / name).unlink()
            else:
                (copy / name).write_bytes(bytes(content) if damage == "flip" else content[:-1])
            with pytest.raises(TamperedArtifact):
                verify_bundle(copy, paths.keys)
            shutil.rmtree(copy)


@pytest.mark.parametrize("name", ["extra.bin", "experts/intent/extra.py", ".git/config", "experts/model.sig"])
def test_an_extra_file_is_refused(bundle: Bundle, paths: Paths, name: str) -> None:
    (bundle.path / name).parent.mkdir(exist_ok=True)
    (bundle.path / name).write_text("extra")
    with pytest.raises(TamperedArtifact, match="does not belong"):
        verify_bundle(bundle.path, paths.keys)


def test_a_link_is_refused(bundle: Bundle, paths: Paths, tmp_path: Path) -> None:
    weights = bundle.path / "experts/intent/adapter_model.safetensors"
    weights.rename(tmp_path / "weights")
    weights.symlink_to(tmp_path / "weights")
    with pytest.raises(TamperedArtifact, match="links"):
        verify_bundle(bundle.path, paths.keys)


def test_a_release_under_another_name_is_refused(bundle: Bundle, paths: Paths) -> None:
    other = bundle.path.rename(bundle.path.with_name("0" * 64))
    with pytest.raises(TamperedArtifact):
        load_bundle(other)


def test_a_release_of_another_installation_is_refused(make_spec: MakeSpec, bundle: Bundle, tmp_path: Path) -> None:
    """Its digests are right, its signature is not ours."""
    foreign = Paths(tmp_path / "foreign")
    foreign.create()
    with pytest.raises(TamperedArtifact, match="signature"):
        verify_bundle(bundle.path, foreign.keys)


def test_a_damaged_expert_is_not_handed_to_the_next_release(bundle: Bundle, paths: Paths) -> None:
    assert load_bundle(bundle.path, paths.keys) == load_bundle(bundle.path)
    (bundle.path / "experts/facts/adapter_model.safetensors").write_bytes(b"poisoned")
    with pytest.raises(TamperedArtifact, match="experts/facts"):
        load_bundle(bundle.path, paths.keys)


def test_a_damaged_release_is_not_taken_for_written(bundle: Bundle, make_spec: MakeSpec, paths: Paths) -> None:
    (bundle.path / "router/router.json").write_text("{}")
    with pytest.raises(TamperedArtifact, match=r"router/router.json was changed"):
        write_bundle(make_spec(), paths.releases, paths.keys)


def test_what_a_killed_process_left_is_removed_later(make_spec: MakeSpec, paths: Paths) -> None:
    old, fresh = paths.releases / ".new-old", paths.releases / ".new-fresh"
    for folder in (old, fresh):
        (folder / "content").mkdir(parents=True)
    os.utime(old, (0, 0))
    write_bundle(make_spec(), paths.releases, paths.keys)
    assert not old.exists()
    assert fresh.exists(), "another process may be writing it right now"


@pytest.mark.parametrize(("changes", "message"), [
    ({"features": {}}, "needs features and lineage"),
    ({"expert_lineage": {}}, "needs features and lineage"),
    ({"router": None}, "needs a router"),
    ({"tasks": ("../evil",)}, "can't name a task"),
    ({"tasks": ("intent.1",)}, "can't name a task"),
    ({"tasks": ("intent.2.3",)}, "can't name a task"),
    ({"lineage": {"mixture": {"path": "mixture.parquet"}}}, r"mixture\.path differs"),
    ({"lineage": {"scores": {"intent": {"score": 0.5, "reused": 3}}}}, "reused differs"),
    ({"lineage": {"scores": {"intent": {"score": float("nan")}}}}, "finite"),
    ({"base_path": Path("/nowhere")}, "no tokenizer"),
])  # fmt: skip
def test_parts_that_do_not_fit_are_refused(
    make_spec: MakeSpec, paths: Paths, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        write_bundle(make_spec(**changes), paths.releases, paths.keys)
    assert list(paths.releases.iterdir()) == []


def test_a_path_of_this_machine_in_the_lineage_is_refused(make_spec: MakeSpec, paths: Paths) -> None:
    lineage = {"note": f"trained from {paths.experts}/abc"}
    with pytest.raises(InvalidInput, match="path of this machine"):
        write_bundle(make_spec(lineage=lineage), paths.releases, paths.keys)


def test_a_linked_artifact_is_refused(make_spec: MakeSpec, paths: Paths, tmp_path: Path) -> None:
    spec = make_spec()
    weights = spec.experts["facts"] / "adapter_model.safetensors"
    weights.unlink()
    weights.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InvalidInput, match="plain file"):
        write_bundle(spec, paths.releases, paths.keys)


def test_the_manifest_is_canonical_json(bundle: Bundle) -> None:
    assert read_json(bundle.path / "manifest.json") == bundle.manifest
    text = (bundle.path / "manifest.json").read_text()
    assert "\n" not in text
    assert '": ' not in text
