"""Finding the model, or fetching it."""

import hashlib
import logging
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from detector.core.errors import ModelError
from detector.model.store import (
    OFFICIAL,
    OFFICIAL_SHA256,
    OFFICIAL_SIZE,
    OFFICIAL_URLS,
    PublishedModel,
    cache_candidates,
    cache_destination,
    fetch_model,
    find_model,
    resolve_model,
)

CONTENT = b"the published bytes"


@pytest.fixture
def published(tmp_path: Path) -> PublishedModel:
    """A small model, published as a file."""
    original = tmp_path / "published" / "model.tflite"
    original.parent.mkdir()
    original.write_bytes(CONTENT)
    return PublishedModel(hashlib.sha256(CONTENT).hexdigest(), len(CONTENT), [original.as_uri()])


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Environment of a user with a home of their own."""
    return {"HOME": str(tmp_path / "home")}


def put(path: Path, content: bytes = CONTENT) -> Path:
    """Write a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_official_model_is_the_published_one() -> None:
    """Frozen: calibrations rest on these bytes."""
    assert OFFICIAL_SHA256 == "10c95ea3eb9a7bb4cb8bddf6feb023250381008177ac162ce169694d05c317de"
    assert OFFICIAL_SIZE == 4_126_810
    assert len(OFFICIAL_URLS) == len(set(OFFICIAL_URLS)) == 4
    assert all(url.startswith("https://") and " " not in url for url in OFFICIAL_URLS)
    assert OFFICIAL.file_name == "yamnet-10c95ea3.tflite"


@pytest.mark.parametrize(
    ("environ", "folders"),
    [
        ({}, ["/var/cache/detector"]),
        ({"HOME": "/home/u"}, ["/home/u/.cache/detector", "/var/cache/detector"]),
        ({"HOME": "/home/u", "XDG_CACHE_HOME": "/c"}, ["/c/detector", "/var/cache/detector"]),
        (
            {"HOME": "/home/u", "XDG_CACHE_HOME": "relative"},
            ["/home/u/.cache/detector", "/var/cache/detector"],
        ),
        ({"CACHE_DIRECTORY": "/var/cache/detector"}, ["/var/cache/detector"]),
        (
            {"CACHE_DIRECTORY": "/a:/b", "HOME": "/h"},
            ["/a", "/b", "/h/.cache/detector", "/var/cache/detector"],
        ),
    ],
)
def test_caches_in_order(environ: dict[str, str], folders: list[str]) -> None:
    """The service's, the user's, the system's; each once."""
    expected = [Path(folder) / "yamnet-10c95ea3.tflite" for folder in folders]
    assert cache_candidates(environ) == expected


def test_named_files_come_before_caches_in_this_order(
    tmp_path: Path, environ: dict[str, str], published: PublishedModel
) -> None:
    """Option, environment, configuration; whatever the file holds."""
    cached = put(cache_candidates(environ, published)[0])
    option, variable, configured = (put(tmp_path / name, b"own") for name in ("o", "v", "c"))
    with_variable = {**environ, "DETECTOR_MODEL": str(variable)}

    def find(environ: dict[str, str], **named: Path) -> Path | None:
        return find_model(environ=environ, published=published, **named)

    assert find(with_variable, option=option, configured=configured) == option
    assert find(with_variable, configured=configured) == variable
    assert find(environ, configured=configured) == configured
    assert find({**environ, "DETECTOR_MODEL": ""}) == cached


def test_named_file_that_is_absent_is_not_replaced_by_the_cache(
    tmp_path: Path, environ: dict[str, str], published: PublishedModel
) -> None:
    """The message says who named it."""
    put(cache_candidates(environ, published)[0])
    absent = tmp_path / "nowhere"
    said = "nowhere: cannot read the model that {} names: No such file"
    with pytest.raises(ModelError, match=said.format("--model")):
        find_model(option=absent, environ=environ, published=published)
    with pytest.raises(ModelError, match=said.format("model.path")):
        find_model(configured=absent, environ=environ, published=published)
    environ["DETECTOR_MODEL"] = str(absent)
    with pytest.raises(ModelError, match=said.format("DETECTOR_MODEL")):
        find_model(environ=environ, published=published)


def test_intact_cached_file_is_found(environ: dict[str, str], published: PublishedModel) -> None:
    """By its content."""
    path = put(cache_candidates(environ, published)[0])
    assert find_model(environ=environ, published=published) == path


def test_nothing_is_found_where_there_is_nothing(
    environ: dict[str, str], published: PublishedModel
) -> None:
    """Then it can be fetched."""
    assert find_model(environ=environ, published=published) is None


def test_damaged_cached_file_is_refused_with_a_warning(
    environ: dict[str, str], published: PublishedModel, caplog: pytest.LogCaptureFixture
) -> None:
    """It names the file."""
    path = put(cache_candidates(environ, published)[0], b"damaged")
    assert find_model(environ=environ, published=published) is None
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert f"refusing the cached model {path}" in record.message


def test_later_cache_stands_in_for_a_damaged_one(
    tmp_path: Path, environ: dict[str, str], published: PublishedModel
) -> None:
    """Both the service and the user may have one."""
    environ["CACHE_DIRECTORY"] = str(tmp_path / "service")
    service, user, _ = cache_candidates(environ, published)
    put(service, b"damaged")
    put(user)
    assert find_model(environ=environ, published=published) == user


def test_unreadable_cached_file_is_passed_over_with_a_warning(
    environ: dict[str, str], published: PublishedModel, caplog: pytest.LogCaptureFixture
) -> None:
    """A folder of that name, here."""
    path = cache_candidates(environ, published)[0]
    path.mkdir(parents=True)
    assert find_model(environ=environ, published=published) is None
    assert f"passing over the cached model {path}: Is a directory" in caplog.text


def test_missing_model_is_fetched_and_then_found(
    environ: dict[str, str], published: PublishedModel
) -> None:
    """Into the first cache."""
    path = cache_candidates(environ, published)[0]
    assert resolve_model(environ=environ, published=published) == path
    assert path.read_bytes() == CONTENT
    nowhere = replace(published, urls=[])
    assert resolve_model(environ=environ, published=nowhere) == path


def test_damaged_cached_file_is_fetched_anew(
    environ: dict[str, str], published: PublishedModel
) -> None:
    """The right bytes take its place."""
    path = put(cache_candidates(environ, published)[0], b"damaged")
    assert resolve_model(environ=environ, published=published) == path
    assert path.read_bytes() == CONTENT


def test_progress_of_a_fetch_is_told(environ: dict[str, str], published: PublishedModel) -> None:
    """To whoever shows it."""
    told: list[tuple[int, int | None]] = []
    resolve_model(
        environ=environ,
        published=published,
        progress=lambda done, total: told.append((done, total)),
    )
    assert told[-1] == (len(CONTENT), len(CONTENT))


def test_offline_message_says_all_a_person_needs(
    environ: dict[str, str], published: PublishedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One clear line, then the places, each address with its reason, and what to do by hand."""
    monkeypatch.setenv("no_proxy", "*")
    with socket.create_server(("127.0.0.1", 0)) as gone:
        refused = f"http://127.0.0.1:{gone.getsockname()[1]}/model.tflite"
    offline = replace(published, urls=[refused, "file:///nowhere/model.tflite"])
    with pytest.raises(ModelError) as caught:
        resolve_model(environ=environ, published=offline)
    first, *rest = str(caught.value).splitlines()
    assert first == "there is no model on this machine, and it could not be fetched"
    for path in cache_candidates(environ, offline):
        assert f"  {path}" in rest
    assert f"  {refused}: Connection refused" in rest
    assert "  file:///nowhere/model.tflite: No such file or directory" in rest
    assert "  detector model fetch --url file:///media/usb/yamnet.tflite" in rest
    assert "--model" in rest[-1]
    assert "DETECTOR_MODEL" in rest[-1]
    assert "model.path" in rest[-1]


def test_first_writable_cache_takes_the_fetched_file(tmp_path: Path) -> None:
    """A folder that is not there yet counts if it can be made."""
    put(tmp_path / "file", b"not a folder")
    candidates = [tmp_path / "file" / "sub" / "m", tmp_path / "new" / "sub" / "m"]
    assert cache_destination(candidates) == candidates[1]


def test_without_any_writable_cache_the_folders_are_named(tmp_path: Path) -> None:
    """So that one can be made writable."""
    put(tmp_path / "file", b"not a folder")
    with pytest.raises(ModelError, match=r"cannot write to .*/file/a, .*/file/b"):
        cache_destination([tmp_path / "file" / "a" / "m", tmp_path / "file" / "b" / "m"])


def test_model_is_fetched_on_demand_and_only_once(
    environ: dict[str, str], published: PublishedModel
) -> None:
    """A second time there is nothing to fetch, so that no address is needed."""
    path = cache_candidates(environ, published)[0]
    assert fetch_model(environ=environ, published=published) == path
    assert path.read_bytes() == CONTENT
    nowhere = ["file:///nowhere/model.tflite"]
    assert fetch_model(environ=environ, published=published, urls=nowhere) == path


def test_given_addresses_stand_in_for_the_published(
    environ: dict[str, str], published: PublishedModel
) -> None:
    """The content must be the same."""
    offline = replace(published, urls=["file:///nowhere/model.tflite"])
    path = fetch_model(environ=environ, published=offline, urls=published.urls)
    assert path.read_bytes() == CONTENT
    other = replace(published, sha256="0" * 64)
    with pytest.raises(ModelError, match="wrong content"):
        fetch_model(environ=environ, published=other)


def test_system_cache_can_be_asked_for(
    tmp_path: Path, environ: dict[str, str], published: PublishedModel
) -> None:
    """Whatever other caches there are."""
    path = fetch_model(
        system=True, environ=environ, published=published, system_cache=tmp_path / "system"
    )
    assert path == tmp_path / "system" / published.file_name
    assert path.read_bytes() == CONTENT
