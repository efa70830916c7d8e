import hashlib
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from data_tools import DataError, download
from data_tools.download import file_hash
from data_tools.mirrors import MIRRORS, Mirror

CONTENT = bytes(range(256)) * 4000
SIZE = len(CONTENT)
GARBAGE = bytes(SIZE)


class Handler(BaseHTTPRequestHandler):
    """Serves /<fault>/file.

    good, plain (no ranges), once (the first connection breaks half-way), slow (each breaks after a
    fifth), stuck (each breaks before the first byte), garbage, short (one byte less), missing,
    wordy (its Content-Length is no number)
    """

    ranges: list = []

    def do_GET(self):
        fault = self.path.split("/")[1]
        self.ranges.append(self.headers.get("Range"))
        if fault == "missing":
            self.send_error(404)
            return
        content = {"garbage": GARBAGE, "short": CONTENT[:-1]}.get(fault, CONTENT)
        wanted = self.headers.get("Range")
        start = 0
        if wanted and fault != "plain":
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if start else 200)
        length = "many" if fault == "wordy" else str(len(content) - start)
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command == "HEAD":
            return
        cuts = {"once": SIZE // 2 if start == 0 else SIZE, "slow": start + SIZE // 5, "stuck": 0}
        self.wfile.write(content[start : cuts.get(fault, SIZE)])

    do_HEAD = do_GET

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    Handler.ranges = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True).start()
        yield lambda fault: mirror(f"http://127.0.0.1:{httpd.server_port}/{fault}/file")
        httpd.shutdown()


def mirror(url, algorithm="sha256"):
    return Mirror(url, SIZE, algorithm, hashlib.new(algorithm, CONTENT).hexdigest())


def fetch(folder, *mirrors):
    return download.download(mirrors, folder).read_bytes()


def test_a_file_is_downloaded_in_one_request(server, tmp_path):
    assert fetch(tmp_path / "new", server("good")) == CONTENT
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["file"]
    assert Handler.ranges == [None]


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_checksums_of_both_algorithms_are_checked(server, tmp_path, algorithm):
    good = mirror(server("good").url, algorithm)
    assert file_hash(download.download([good], tmp_path), algorithm) == good.digest


def test_a_broken_connection_is_resumed(server, tmp_path):
    assert fetch(tmp_path, server("once")) == CONTENT
    assert Handler.ranges == [None, f"bytes={SIZE // 2}-"]


def test_connections_are_resumed_while_data_arrive(server, tmp_path):
    assert fetch(tmp_path, server("slow")) == CONTENT
    assert len(Handler.ranges) == 5


def test_a_later_call_resumes_the_download(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "_ATTEMPTS", 1)
    for call in range(1, 5):
        with pytest.raises(
            DataError, match=f"after {call * SIZE // 5} of {SIZE} bytes; run the same"
        ):
            fetch(tmp_path, server("slow"))
        assert [p.name for p in tmp_path.iterdir()] == ["file.part"]
    assert fetch(tmp_path, server("slow")) == CONTENT
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_server_that_sends_nothing_is_tried_once(server, tmp_path):
    with pytest.raises(DataError, match=f"connection broke after 0 of {SIZE} bytes"):
        fetch(tmp_path, server("stuck"))
    assert len(Handler.ranges) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_server_without_ranges_sends_the_whole_file_again(server, tmp_path):
    (tmp_path / "file.part").write_bytes(b"old beginning")
    assert fetch(tmp_path, server("plain")) == CONTENT


def test_a_complete_part_needs_no_server(tmp_path):
    (tmp_path / "file.part").write_bytes(CONTENT)
    assert fetch(tmp_path, mirror("http://127.0.0.1:9/file")) == CONTENT


@pytest.mark.parametrize(
    ("old", "ranges"),
    [(b"another file", ["bytes=12-", None]), (bytes(SIZE), [None]), (bytes(SIZE + 1), [None])],
)
def test_a_wrong_part_is_deleted_and_downloaded_again(server, tmp_path, old, ranges):
    (tmp_path / "file.part").write_bytes(old)
    assert fetch(tmp_path, server("good")) == CONTENT
    assert Handler.ranges == ranges


def test_a_length_that_is_no_number_is_none(server, tmp_path):
    assert fetch(tmp_path, server("wordy")) == CONTENT  # the checksum decides
    unsized = server("wordy")._replace(size=None)
    with pytest.raises(DataError, match="the server does not say how large the file is"):
        fetch(tmp_path, unsized)
    assert fetch(tmp_path, unsized, server("good")._replace(size=None)) == CONTENT


def test_the_next_mirror_is_tried_after_a_failure(server, tmp_path):
    mirrors = [server(name) for name in ("missing", "garbage", "short", "stuck", "good")]
    assert fetch(tmp_path, *mirrors) == CONTENT
    assert len(Handler.ranges) == 5


def test_a_full_disk_is_no_fault_of_a_mirror(server, tmp_path, monkeypatch):
    """It was called a broken connection, and every other mirror was tried."""

    def full(response, file, *args):
        file.write(CONTENT[:7])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(download, "_copy", full)
        with pytest.raises(DataError, match=r"has no space for file \(No space left on device\); "):
            fetch(tmp_path, server("good"), server("plain"))
    assert Handler.ranges == [None]
    assert fetch(tmp_path, server("good")) == CONTENT
    assert Handler.ranges[1:] == ["bytes=7-"]


def test_another_mirror_resumes_the_same_part(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "_ATTEMPTS", 1)
    assert fetch(tmp_path, server("slow"), server("good")) == CONTENT
    assert Handler.ranges == [None, f"bytes={SIZE // 5}-"]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("missing", "the server answers 404"),
        ("garbage", f"its sha256 is {hashlib.sha256(GARBAGE).hexdigest()}, expected "),
        ("short", f"the server offers {SIZE - 1} bytes, expected {SIZE}"),
    ],
)
def test_the_error_gives_the_reason_of_each_mirror(server, tmp_path, fault, words):
    with pytest.raises(DataError, match=rf"/{fault}/file: .*{words}.*--from FILE"):
        fetch(tmp_path, server(fault))
    assert not list(tmp_path.iterdir())


def test_the_error_without_a_network_names_the_import(tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # taken, but nobody listens
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/file"
        with pytest.raises(DataError, match="download failed .*refused.*--from FILE"):
            fetch(tmp_path, mirror(url))


def test_the_error_for_missing_certificates_helps_on_macos():
    error = OSError("[SSL: CERTIFICATE_VERIFY_FAILED] unable to get local issuer certificate")
    assert "Install Certificates.command" in download._reason(error)


def test_progress_shows_speed_and_time_left(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(download.Progress, "due", lambda self, done: True)
    fetch(tmp_path, server("good"))
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("file: 1 of 1 MB, ")
    assert last.endswith("MB/s, 0 s left")


@pytest.mark.parametrize("name", MIRRORS)
def test_every_mirror_has_a_full_checksum(name):
    for known in MIRRORS[name]:
        assert known.url.startswith("https://")
        assert len(known.digest) == 2 * hashlib.new(known.algorithm).digest_size
        assert known.file.endswith((".tgz", ".tar.gz"))


@pytest.mark.skipif(not hasattr(download.os, "O_NOFOLLOW"), reason="Windows has no such flag")
@pytest.mark.parametrize("content", [b"", b"precious", CONTENT[:1000]])
def test_a_part_is_not_written_through_a_link(server, tmp_path, content):
    victim = tmp_path / "victim"
    victim.write_bytes(content)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "file.part").symlink_to(victim)
    assert fetch(tmp_path / "data", server("good")) == CONTENT
    assert victim.read_bytes() == content
    assert not (tmp_path / "data" / "file").is_symlink()
