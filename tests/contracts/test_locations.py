"""A location is a folder, by its path or its URL, or an object store."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError
from rondo.contracts.locations import UNUSABLE, TableRoot, local_folder


@pytest.mark.parametrize(
    ("location", "folder"),
    [
        ("/data", "/data"),
        ("/my data ü", "/my data ü"),
        ("/a%20b", "/a%20b"),
        ("file:///my%20data%20%C3%BC", "/my data ü"),
        (Path("/a#b?c").as_uri(), "/a#b?c"),
        ("s3://bucket/my%20data", None),
    ],
)
def test_only_a_path_and_a_file_url_are_folders(location: str, folder: str | None) -> None:
    found = local_folder(location)
    assert (found if found is None else str(found)) == folder


@pytest.mark.parametrize("location", ["/my data ü", "file:///my%20data", "/a*{b}'&+,:~", "s3://bucket/a%20b", "data"])
def test_a_root_of_tables_may_have_any_name_that_delta_can_use(location: str) -> None:
    assert TypeAdapter(TableRoot).validate_python(location) == location


@pytest.mark.parametrize("character", UNUSABLE)
def test_a_folder_that_delta_cannot_use_is_refused_with_the_character(character: str) -> None:
    folder = Path(f"/a{character}b")
    for location in (str(folder), folder.as_uri()):
        with pytest.raises(ValidationError) as caught:
            TypeAdapter(TableRoot).validate_python(location)
        (problem,) = caught.value.errors()
        found = problem["ctx"]["error"]
        assert (found.code, found.folder, found.characters) == ("unusable_folder", folder, character)


@pytest.mark.parametrize("location", ["s3://bucket/a?b", "s3://bucket/a#b", "s3://bucket/a[b", "s3://bucket/a%3Fb"])
def test_a_url_under_which_delta_loses_or_mixes_tables_is_refused_with_the_character(location: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(TableRoot).validate_python(location)
    (problem,) = caught.value.errors()
    found = problem["ctx"]["error"]
    assert (found.code, found.folder) == ("unusable_folder", location)
    assert found.characters in {"?", "#", "["}
