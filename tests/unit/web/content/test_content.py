"""Bytes of files: verified, in ranges, cached for ever by digest, and never run by a browser."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

import artstore as art
from artstore.api import Store
from artstore.digest import digest_of
from artstore.media.thumbnailfile import THUMBNAIL_MAX_PIXELS, make_thumbnail
from artstore.web.content.thumbnailcache import ThumbnailCache
from artstore.web.opening import open_site
from artstore.web.settings import ServeSettings
from artstore.web.site import Site
from tests.trees import open_at
from tests.unit.web.shelves import PROJECT, SCRIPT

PREFIX = "/p/demo/c/bytes/v0"
CONTENT = PREFIX + "/content/"
DATA = bytes(range(256)) * 40_000
"""Ten megabytes: several chunks and several pieces."""
ATTACK = (
    "<script>top.location='https://example.org/';fetch('/api/v1/session');"
    "parent.document.title='x'</script>"
)


def png(width: int, height: int, mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    Image.radial_gradient("L").resize((width, height)).convert(mode).save(buffer, "png")
    return buffer.getvalue()


def bomb(width: int, height: int) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body + chunk(b"IEND", b"")


FILES: dict[str, bytes] = {
    "data.bin": DATA,
    "empty.txt": b"",
    "page.html": ATTACK.encode(),
    "shout.HTM": ATTACK.encode(),
    "drawing.svg": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "feed.xml": b"<x/>",
    "code.js": b"alert(1)",
    "sniffed": ATTACK.encode(),
    "notes.md": f"# Hi\n\n{SCRIPT} [x](javascript:alert(1))".encode(),
    "value.json": b"{}",
    "song.mp3": b"ID3" + bytes(1000),
    "picture.png": png(600, 300),
    "small.png": png(8, 8),
    "mask.png": png(100, 80, "L"),
    "cut.png": png(600, 300)[:-2000],
    "bomb.png": bomb(60_000, 60_000),
    "large.png": bomb(16_000, 16_000),
    "text.png": b"not an image, whatever its name says",
    'naïve "quote"\r\nX-Evil: 1; .txt': b"named",
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("bytes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(root))
        patch.setenv("XDG_STATE_HOME", str(root / "state"))
        patch.setenv("ARTSTORE_CACHE_DIR", str(root / "cache"))
        draft = art.Artifact("bytes", "dataset")
        for path, data in FILES.items():
            with draft.new_file(path, mode="wb") as file:
                file.write(data)
        draft.add(art.Table(["id"], [[1]]), "pred")
        open_at(root / "store", project=PROJECT).log_artifact(draft)
    return root / "store"


@pytest.fixture
def bytes_store(directory: Path) -> Store:
    return open_at(directory, project=PROJECT)


@pytest.fixture
def reader(bytes_store: Store, make_client: Callable[[Site], TestClient]) -> TestClient:
    return make_client(open_site(bytes_store))


@pytest.fixture
def cache_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ARTSTORE_CACHE_DIR", str(tmp_path / "own-cache"))
    return tmp_path / "own-cache"


# bytes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [path for path in FILES if path.isascii() and "\n" not in path])
def test_every_file_is_sent_byte_for_byte(reader: TestClient, path: str) -> None:
    answer = reader.get(CONTENT + path)
    assert answer.status_code == 200
    assert answer.content == FILES[path]
    assert answer.headers["content-length"] == str(len(FILES[path]))


def test_a_head_request_gets_the_headers_alone(reader: TestClient) -> None:
    answer = reader.head(CONTENT + "data.bin")
    assert answer.status_code == 200
    assert answer.content == b""
    assert answer.headers["content-length"] == str(len(DATA))
    assert answer.headers["accept-ranges"] == "bytes"
    ranged = reader.head(CONTENT + "data.bin", headers={"Range": "bytes=5-9"})
    assert (ranged.status_code, ranged.headers["content-length"]) == (206, "5")


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=5-", 5, len(DATA)),
        ("bytes=-5", len(DATA) - 5, len(DATA)),
        ("bytes=1000000-3000000", 1_000_000, 3_000_001),
        ("bytes=9999-99999999999999999", 9999, len(DATA)),
        (f"bytes=-{len(DATA) * 2}", 0, len(DATA)),
    ],
)
def test_one_range_is_sent_as_asked(reader: TestClient, asked: str, start: int, stop: int) -> None:
    answer = reader.get(CONTENT + "data.bin", headers={"Range": asked})
    assert answer.status_code == 206
    assert answer.content == DATA[start:stop]
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(DATA)}"


@pytest.mark.parametrize("asked", ["bytes=10240000-", "bytes=-0", "bytes=99999999999999999-"])
def test_a_range_behind_the_end_is_refused(reader: TestClient, asked: str) -> None:
    answer = reader.get(CONTENT + "data.bin", headers={"Range": asked})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(DATA)}"
    assert reader.get(CONTENT + "empty.txt", headers={"Range": "bytes=0-5"}).status_code == 416


@pytest.mark.parametrize(
    "asked",
    ["bytes=5-3", "bytes=0-1,5-9", "bytes=", "bytes=a-b", "lines=1-2", "bytes=-", "x" * 9999],
)
def test_what_is_no_single_range_gets_all(reader: TestClient, asked: str) -> None:
    assert reader.get(CONTENT + "value.json", headers={"Range": asked}).status_code == 200


def test_a_range_of_another_file_gets_all(reader: TestClient) -> None:
    headers = {"Range": "bytes=0-0", "If-Range": '"another"'}
    assert reader.get(CONTENT + "value.json", headers=headers).status_code == 200


# caching ---------------------------------------------------------------------------------


def test_the_digest_in_the_address_makes_an_answer_last(reader: TestClient) -> None:
    digest = digest_of(FILES["value.json"]).hex()
    lasting = reader.get(CONTENT + f"value.json?d={digest}")
    assert lasting.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert lasting.headers["etag"] == f'"{digest}"'
    passing = reader.get(CONTENT + "value.json")
    assert passing.headers["cache-control"] == "private, no-cache"


def test_another_digest_is_a_conflict(reader: TestClient) -> None:
    for page in ("content", "thumbnail", "frame"):
        name = "page.html" if page == "frame" else "picture.png"
        answer = reader.get(f"/api/v1{PREFIX}/{page}/{name}?d={'0' * 64}")
        assert answer.status_code == 409
        assert answer.json()["error"]["code"] == "content-changed"
        assert "immutable" not in answer.headers["cache-control"]


@pytest.mark.parametrize("form", ['"{}"', 'W/"{}"', '"x", "{}"', "*"])
def test_what_a_browser_has_is_not_sent_again(reader: TestClient, form: str) -> None:
    tag = form.format(digest_of(DATA).hex())
    answer = reader.get(CONTENT + "data.bin", headers={"If-None-Match": tag})
    assert answer.status_code == 304
    assert answer.content == b""
    assert reader.get(CONTENT + "data.bin", headers={"If-None-Match": '"x"'}).status_code == 200


# nothing is run --------------------------------------------------------------------------


@pytest.mark.parametrize("path", list(FILES)[:-1])
def test_content_is_never_of_a_type_that_a_browser_runs(reader: TestClient, path: str) -> None:
    headers = reader.head(CONTENT + path).headers
    assert headers["x-content-type-options"] == "nosniff"
    policy = headers["content-security-policy"]
    kind = headers["content-type"].partition(";")[0]
    # The browser's own player fetches the file once more, and runs nothing.
    is_played = kind.startswith(("audio/", "video/"))
    sandbox = "sandbox allow-same-origin" if is_played else "sandbox"
    assert policy.startswith(f"{sandbox}; default-src 'none'; ")
    assert ("media-src 'self'" in policy) == is_played
    assert "script" not in policy
    assert kind in ("text/plain", "application/octet-stream", "application/json") or (
        kind.startswith(("image/", "audio/", "video/")) and kind != "image/svg+xml"
    )
    is_saved = headers["content-disposition"].startswith("attachment")
    assert is_saved == (kind == "application/octet-stream")


def test_a_download_is_saved_under_its_name(reader: TestClient) -> None:
    headers = reader.get(CONTENT + "page.html?download=1").headers
    assert headers["content-type"] == "application/octet-stream"
    assert headers["content-disposition"] == (
        "attachment; filename=\"page.html\"; filename*=UTF-8''page.html"
    )


def test_a_name_cannot_break_out_of_a_header(reader: TestClient) -> None:
    answer = reader.get(CONTENT + "na%C3%AFve%20%22quote%22%0D%0AX-Evil:%201;%20.txt")
    assert answer.status_code == 200
    assert "x-evil" not in answer.headers
    told = answer.headers["content-disposition"]
    assert told.isascii()
    assert told.count('"') == 2
    assert "na%C3%AFve%20%22quote%22%0D%0AX-Evil%3A%201%3B%20.txt" in told


def test_a_page_of_a_user_gets_no_origin_and_no_network(reader: TestClient) -> None:
    for path in ("page.html", "shout.HTM"):
        answer = reader.get(f"{PREFIX}/frame/{path}")
        assert answer.text == ATTACK
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        policy = directives(answer.headers["content-security-policy"])
        assert policy["sandbox"] == "allow-scripts"
        assert policy["default-src"] == "'none'"
        assert policy["frame-ancestors"] == "'self'"
        assert "connect-src" not in policy
        allowed = " ".join(policy.values())
        assert "allow-same-origin" not in allowed
        assert "top-navigation" not in allowed
        assert "http" not in allowed
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-dns-prefetch-control"] == "off"
        assert answer.headers["cross-origin-opener-policy"] == "unsafe-none"
        assert answer.headers["cache-control"] == "private, no-cache"


def test_a_page_of_a_user_is_not_opened_by_itself(reader: TestClient) -> None:
    headers = {"Sec-Fetch-Dest": "document"}
    answer = reader.get(f"{PREFIX}/frame/page.html", headers=headers)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"{PREFIX}/files/page.html"


def test_a_drawing_and_markdown_run_no_script(reader: TestClient) -> None:
    for path in ("drawing.svg", "notes.md"):
        answer = reader.get(f"{PREFIX}/frame/{path}")
        policy = directives(answer.headers["content-security-policy"])
        assert policy["sandbox"] == ""
        assert policy["default-src"] == "'none'"
        assert "script-src" not in policy
    assert "<h1>Hi</h1>" in answer.text
    assert SCRIPT not in answer.text
    assert "javascript:" not in answer.text.partition("href")[2]


def test_a_notebook_may_hold_the_frames_of_a_page_that_it_holds(
    bytes_store: Store, make_client: Callable[[Site], TestClient]
) -> None:
    client = make_client(
        open_site(bytes_store, ServeSettings(frame_ancestors=("http://localhost:8888",)))
    )
    policy = client.get(f"{PREFIX}/frame/page.html").headers["content-security-policy"]
    assert directives(policy)["frame-ancestors"] == "'self' http://localhost:8888"


@pytest.mark.parametrize("path", ["data.bin", "code.js", "feed.xml", "sniffed"])
def test_other_files_are_not_shown_in_frames(reader: TestClient, path: str) -> None:
    answer = reader.get(f"/api/v1{PREFIX}/frame/{path}")
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "frame-refused"


def directives(policy: str) -> dict[str, str]:
    parts = [part.strip().partition(" ") for part in policy.split(";")]
    return {name: value for name, _, value in parts}


# what has no bytes -----------------------------------------------------------------------


def test_a_table_is_sent_as_the_parquet_file_that_a_pull_writes(
    reader: TestClient, bytes_store: Store, tmp_path: Path
) -> None:
    answer = reader.get(f"{CONTENT}pred.parquet")
    pulled = bytes_store.artifact("demo/bytes:v0").download(tmp_path / "out")
    assert answer.content == (pulled / "pred.parquet").read_bytes()
    assert answer.headers["content-type"] == "application/vnd.apache.parquet"
    assert answer.headers["content-disposition"].startswith('attachment; filename="pred.parquet"')
    head = reader.head(f"{CONTENT}pred.parquet")
    assert (head.status_code, head.content) == (200, b"")
    wrong = reader.get(f"/api/v1{CONTENT}pred.parquet", params={"d": "0" * 64})
    assert wrong.json()["error"]["code"] == "content-changed"
    refused = reader.get(f"/api/v1{CONTENT}pred.parquet".replace("/content/", "/thumbnail/"))
    assert refused.json()["error"]["code"] == "content-elsewhere"


def test_damage_is_told_and_never_sent(
    tmp_path: Path, make_client: Callable[[Site], TestClient]
) -> None:
    store = open_at(tmp_path / "store", project=PROJECT)
    draft = art.Artifact("bytes", "dataset")
    with draft.new_file("a.txt") as file:
        file.write("some bytes that will be damaged" * 100)
    store.log_artifact(draft)
    for pack in (tmp_path / "store" / "packs").rglob("*"):
        if pack.is_file():
            data = bytearray(pack.read_bytes())
            data[40:60] = bytes(20)
            pack.chmod(0o600)
            pack.write_bytes(data)
    client = make_client(open_site(open_at(tmp_path / "store", project=PROJECT)))
    answer = client.get(f"/api/v1{CONTENT}a.txt")
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "chunk-damaged"
    assert str(tmp_path) not in answer.text
    page = client.get(f"{PREFIX}/files/a.txt")
    assert page.status_code == 200
    assert "Not shown" in page.text


# thumbnails ------------------------------------------------------------------------------


def thumbnail(client: TestClient, path: str, size: Any = 128) -> Any:
    return client.get(f"/api/v1{PREFIX}/thumbnail/{path}?size={size}")


def test_a_thumbnail_is_made_once_and_lasts(
    cache_directory: Path, directory: Path, make_client: Callable[[Site], TestClient]
) -> None:
    client = make_client(open_site(open_at(directory, project=PROJECT)))
    answer = thumbnail(client, "picture.png")
    assert answer.headers["content-type"] == "image/webp"
    assert Image.open(io.BytesIO(answer.content)).size == (128, 64)
    digest = digest_of(FILES["picture.png"]).hex()
    (kept,) = (cache_directory / "thumbnails").rglob("*.webp")
    assert kept.name == f"{digest}-128.webp"
    again = client.get(f"{PREFIX}/thumbnail/picture.png?d={digest}&size=128")
    assert again.content == answer.content
    assert "immutable" in again.headers["cache-control"]
    headers = {"If-None-Match": again.headers["etag"]}
    assert (
        client.get(f"{PREFIX}/thumbnail/picture.png?size=128", headers=headers).status_code == 304
    )
    kept.write_bytes(b"damaged on disk")
    assert thumbnail(client, "picture.png").content == answer.content


def test_small_pictures_are_kept_to_the_pixel(reader: TestClient) -> None:
    answer = thumbnail(reader, "small.png", 64)
    assert answer.headers["content-type"] == "image/png"
    shown = Image.open(io.BytesIO(answer.content)).convert("RGB")
    assert shown.tobytes() == Image.open(io.BytesIO(FILES["small.png"])).tobytes()


def test_a_mask_is_sent_as_it_is(reader: TestClient) -> None:
    answer = reader.get(CONTENT + "mask.png")
    assert answer.headers["content-type"] == "image/png"
    assert answer.content == FILES["mask.png"]


@pytest.mark.parametrize("size", ["0", "63", "1024", "-1", "x", "128.0", "٦٤", ""])
def test_a_thumbnail_has_one_of_four_sizes(reader: TestClient, size: str) -> None:
    answer = thumbnail(reader, "picture.png", size)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "value-invalid"


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("cut.png", 422, "image-damaged"),
        ("bomb.png", 413, "image-too-large"),
        ("large.png", 413, "image-too-large"),
        ("text.png", 400, "media-format-unknown"),
        ("empty.txt", 422, "image-damaged"),
    ],
)
def test_what_is_no_whole_image_is_told(
    reader: TestClient, path: str, status: int, code: str
) -> None:
    answer = thumbnail(reader, path)
    assert answer.json()["error"]["code"] == code
    assert answer.status_code == status
    assert len(answer.content) < 1_000
    assert reader.get(f"{PREFIX}/files/{path}").status_code == 200


def test_an_image_with_layers_is_drawn_with_them(client: TestClient) -> None:
    prefix = "/p/demo/c/guesses/v0"
    page = client.get(f"{prefix}/files/one.image-file.json").text
    assert f'src="{prefix}/thumbnail/one.image-file.json?d=' in page
    answer = client.get(f"{prefix}/thumbnail/one.image-file.json?size=64")
    assert answer.headers["content-type"] == "image/png"
    value = client.get(f"/api/v1{prefix}/files/one.image-file.json").json()
    plain = client.get(f"{prefix}/thumbnail/{value['preview']['media_path']}?size=64")
    shown = [
        Image.open(io.BytesIO(data)).convert("RGB") for data in (answer.content, plain.content)
    ]
    assert shown[0].size == shown[1].size == (8, 8)
    assert shown[0].tobytes() != shown[1].tobytes()


@pytest.mark.parametrize(
    ("field", "path", "status"),
    [("path", "far.png", 404), ("path", "large.png", 413), ("path", "none.png", 404)],
)
def test_what_describes_an_image_leads_nowhere_else(
    tmp_path: Path,
    make_client: Callable[[Site], TestClient],
    field: str,
    path: str,
    status: int,
) -> None:
    cell: dict[str, Any] = {
        "_type": "image-file",
        "digest": "0" * 64,
        "encoded_digest": "0" * 64,
        "format": "png",
        "mode": "RGB",
        "width": 8,
        "height": 8,
        "caption": None,
        "grouping": None,
        "scaling": None,
        "classes": None,
        "boxes": [],
        "masks": [],
        field: path,
    }
    store = open_at(tmp_path / "store", project=PROJECT)
    draft = art.Artifact("evil", "dataset")
    with draft.new_file("x.image-file.json", mode="wb") as file:
        file.write(json.dumps(cell, sort_keys=True, separators=(",", ":")).encode())
    with draft.new_file("large.png", mode="wb") as file:
        file.write(FILES["large.png"])
    draft.add_reference("http://127.0.0.1:9/secret", "far.png", checksum=False)
    store.log_artifact(draft)
    answer = make_client(open_site(store)).get(
        "/api/v1/p/demo/c/evil/v0/thumbnail/x.image-file.json"
    )
    assert answer.status_code == status, answer.text
    page = make_client(open_site(store)).get("/p/demo/c/evil/v0/files/x.image-file.json")
    assert page.status_code == 200


def test_what_is_too_large_is_refused_before_it_is_decoded() -> None:
    assert THUMBNAIL_MAX_PIXELS < 16_000 * 16_000
    with pytest.raises(art.errors.LimitExceededError):
        make_thumbnail(io.BytesIO(FILES["large.png"]), "large.png", 64)


def test_thumbnails_take_only_so_much_room(tmp_path: Path) -> None:
    cache = ThumbnailCache(tmp_path / "thumbnails", max_bytes=100_000)
    for number in range(30):
        cache.add(digest_of(bytes([number])), 64, bytes(10_000), "image/png")
    # It counts at the first one, and then each time that much was added.
    fresh = ThumbnailCache(tmp_path / "thumbnails", max_bytes=100_000)
    fresh.add(digest_of(b"new"), 64, bytes(10_000), "image/png")
    files = list((tmp_path / "thumbnails").rglob("*.png"))
    assert sum(file.stat().st_size for file in files) <= 100_000
    assert fresh.find(digest_of(b"new"), 64) == (bytes(10_000), "image/png")


def test_a_cache_that_cannot_be_written_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "thumbnails").write_text("a file is in the way")
    cache = ThumbnailCache(tmp_path / "thumbnails")
    cache.add(digest_of(b"x"), 64, b"data", "image/png")
    assert cache.find(digest_of(b"x"), 64) is None
