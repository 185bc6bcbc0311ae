import errno
import io
import re
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gatelab.data.fetch import cache_path, find, is_at_hand
from gatelab.data.sources import SOURCES
from gatelab.errors import DataError

POEM = bytes(range(256)) * 5000


def test_a_download_is_kept(server, cache, add_source):
    server.files["/poem"] = POEM
    add_source(f"{server.home}/poem", content=POEM)
    assert not is_at_hand("poem")
    path = find("poem")
    assert path == cache / "poems" / "poem.txt"
    assert path.read_bytes() == POEM
    assert is_at_hand("poem")
    assert find("poem") == path
    assert server.asked == [("/poem", 0)]


def test_a_broken_transfer_goes_on_where_it_stopped(server, cache, add_source):
    server.files["/poem"] = POEM
    server.stops = [600_000]
    add_source(f"{server.home}/poem", content=POEM)
    assert find("poem").read_bytes() == POEM
    (_, first), (_, second) = server.asked
    assert first == 0 and 0 < second <= 600_000


def test_a_later_call_goes_on_with_what_an_earlier_one_left(server, cache, add_source):
    server.files["/poem"] = POEM
    server.stops = [500_000, 900_000]
    source = add_source(f"{server.home}/poem", content=POEM)
    with pytest.raises(DataError, match="could not be downloaded"):
        find("poem")
    assert not cache_path(source).exists()
    assert find("poem").read_bytes() == POEM
    assert server.asked[2][1] > 500_000


@pytest.mark.parametrize("have", [1000, len(POEM)], ids=["a part", "all of it"])
@pytest.mark.parametrize("ranges", [True, False])
def test_what_is_there_already_is_used_if_the_server_can_go_on(server, cache, add_source, ranges, have):
    server.files["/poem"], server.ranges = POEM, ranges
    path = cache_path(add_source(f"{server.home}/poem", content=POEM))
    path.parent.mkdir(parents=True)
    Path(f"{path}.part").write_bytes(POEM[:have])
    assert find("poem").read_bytes() == POEM
    assert server.asked == [("/poem", have)]
    assert not Path(f"{path}.part").exists()


def test_a_wrong_part_is_thrown_away(server, cache, add_source):
    server.files["/poem"] = POEM
    path = cache_path(add_source(f"{server.home}/poem", content=POEM))
    path.parent.mkdir(parents=True)
    Path(f"{path}.part").write_bytes(b"not the poem")
    assert find("poem").read_bytes() == POEM
    assert [start for _, start in server.asked] == [12, 0]


def test_wrong_bytes_are_refused(server, cache, add_source):
    server.files["/poem"] = b"something else"
    source = add_source(f"{server.home}/poem", content=POEM)
    with pytest.raises(DataError, match="another digest than sha256:"):
        find("poem")
    assert [file.suffix for file in cache_path(source).parent.iterdir()] in ([], [".lock"])


def test_each_home_is_tried_in_turn(server, cache, add_source):
    server.files |= {"/wrong": b"something else", "/poem": POEM}
    add_source(*(f"{server.home}/{place}" for place in ("nowhere", "wrong", "poem")), content=POEM)
    assert find("poem").read_bytes() == POEM
    assert [path for path, _ in server.asked] == ["/nowhere", "/wrong", "/poem"]


def test_no_network(server, cache, add_source):
    source = add_source("http://127.0.0.1:9/poem", f"{server.home}/poem", content=POEM)
    with pytest.raises(DataError) as caught:
        find("poem")
    cause, cure, *reasons = str(caught.value).splitlines()
    assert cause == "'poem' could not be downloaded."
    assert str(cache_path(source)) in cure and "GATELAB_DATA" in cure and "poems/poem.txt" in cure
    assert "127.0.0.1:9" in reasons[0] and "404" in reasons[1] and len(reasons) == 2


def test_a_full_disk(server, cache, add_source, monkeypatch):
    server.files["/poem"] = POEM
    add_source(f"{server.home}/poem", content=POEM)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("gatelab.data.download._write", full)
    with pytest.raises(DataError, match=r"the disk is full\.\nMake room, or set GATELAB_CACHE"):
        find("poem")


def test_a_cached_file_that_has_changed_is_refused(server, cache, add_source):
    server.files["/poem"] = POEM
    path = cache_path(add_source(f"{server.home}/poem", content=POEM))
    find("poem").write_bytes(b"changed")
    with pytest.raises(DataError, match=rf"{re.escape(str(path))} is broken.*\nDelete it"):
        find("poem")


def test_the_first_digest_is_kept_where_none_is_published(server, cache, add_source):
    server.files["/poem"] = POEM
    add_source(f"{server.home}/poem")
    path = find("poem")
    assert find("poem") == path
    path.write_bytes(POEM[:-1])
    with pytest.raises(DataError, match="is broken"):
        find("poem")


def test_two_at_once_download_once(server, cache, add_source):
    server.files["/poem"] = POEM
    add_source(f"{server.home}/poem", content=POEM)
    with ThreadPoolExecutor(4) as pool:
        contents = {path.read_bytes() for path in pool.map(find, ["poem"] * 4)}
    assert contents == {POEM}
    assert len(server.asked) == 1


@pytest.mark.parametrize("terminal", [True, False])
def test_a_bar_on_the_error_stream_of_a_terminal(server, cache, add_source, monkeypatch, capsys, terminal):
    monkeypatch.setenv("TTY_COMPATIBLE", "1" if terminal else "0")
    server.files["/poem"] = POEM
    add_source(f"{server.home}/poem", content=POEM)
    find("poem")
    out, err = capsys.readouterr()
    assert out == "" and ("1.3/1.3 MB" in err) == terminal and (err == "") != terminal


def test_a_file_that_is_there_is_only_read(cache, add_source):
    path = cache_path(add_source("http://127.0.0.1:9/poem", content=POEM))
    path.parent.mkdir(parents=True)
    path.write_bytes(POEM)
    before = set(path.parent.iterdir())
    assert find("poem") == path
    assert set(path.parent.iterdir()) == before


def zipped(name):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, POEM)
    return buffer.getvalue()


def test_a_member_of_an_archive(server, cache, add_source):
    server.files["/poems.zip"] = zipped("poem.txt")
    add_source(f"{server.home}/poems.zip", content=POEM, member="poem.txt")
    path = find("poem")
    assert path.read_bytes() == POEM
    assert {file.name for file in path.parent.iterdir()} <= {"poem.txt", "poem.txt.lock"}


@pytest.mark.parametrize("content", [zipped("other.txt"), b"no archive"], ids=["no member", "no archive"])
def test_an_archive_without_the_member(server, cache, add_source, content):
    server.files["/poems.zip"] = content
    add_source(f"{server.home}/poems.zip", content=POEM, member="poem.txt")
    with pytest.raises(DataError, match=r"no zip archive with poem\.txt in it"):
        find("poem")


def test_a_data_folder(tmp_path, monkeypatch, add_source):
    add_source("http://127.0.0.1:9/poem")
    monkeypatch.setenv("GATELAB_DATA", str(tmp_path))
    assert not is_at_hand("poem")
    with pytest.raises(
        DataError, match=r"not in the folder .*\nPut it there as poems/poem\.txt or poems/poem\.txt\.gz"
    ):
        find("poem")
    (tmp_path / "poems").mkdir()
    for name in ("poem.txt.gz", "poem.txt"):
        (tmp_path / "poems" / name).touch()
        assert find("poem") == tmp_path / "poems" / name
    assert is_at_hand("poem")


def test_a_data_folder_that_does_not_exist(tmp_path, monkeypatch):
    monkeypatch.setenv("GATELAB_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match="which does not exist"):
        find("imdb")


@pytest.mark.parametrize("ask", [find, is_at_hand])
def test_an_unknown_name(ask):
    with pytest.raises(DataError, match=r"no data set 'imbd'\.\nDid you mean 'imdb'\?"):
        ask("imbd")


def test_every_row_is_complete():
    for name, source in SOURCES.items():
        assert source.name == name
        assert source.urls and source.places and source.about and source.terms and source.citation
        assert source.digest is None or re.fullmatch("sha256:[0-9a-f]{64}|md5:[0-9a-f]{32}", source.digest)
