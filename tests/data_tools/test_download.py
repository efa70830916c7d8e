import hashlib
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from data_tools import DataError, download
from data_tools.download import file_hash
from data_tools.mirrors import ORIGINS, Origin

CONTENT = bytes(range(256)) * 4000
SIZE = len(CONTENT)
GARBAGE = bytes(SIZE)


class Handler(BaseHTTPRequestHandler):
    """Serves /<manner>/file; the manner says what goes wrong.

    good, plain (without ranges), once (the first connection cut in the middle), slow (each cut
    after a fifth), stuck (each cut before the first byte), garbage, short (another length), missing
    """

    ranges: list = []

    def do_GET(self):
        manner = self.path.split("/")[1]
        self.ranges.append(self.headers.get("Range"))
        if manner == "missing":
            self.send_error(404)
            return
        content = {"garbage": GARBAGE, "short": CONTENT[:-1]}.get(manner, CONTENT)
        wanted = self.headers.get("Range")
        start = 0
        if wanted and manner != "plain":
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        cuts = {"once": SIZE // 2 if start == 0 else SIZE, "slow": start + SIZE // 5, "stuck": 0}
        self.wfile.write(content[start : cuts.get(manner, SIZE)])

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    Handler.ranges = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True).start()
        yield lambda manner: origin(f"http://127.0.0.1:{httpd.server_port}/{manner}/file")
        httpd.shutdown()


def origin(url, algorithm="sha256"):
    return Origin(url, SIZE, algorithm, hashlib.new(algorithm, CONTENT).hexdigest())


def fetch(folder, *origins):
    return download.download(origins, folder).read_bytes()


def test_a_whole_file(server, tmp_path):
    assert fetch(tmp_path / "new", server("good")) == CONTENT
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["file"]
    assert Handler.ranges == [None]


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_checksums_of_both_kinds(server, tmp_path, algorithm):
    place = origin(server("good").url, algorithm)
    assert file_hash(download.download([place], tmp_path), algorithm) == place.digest


def test_a_cut_connection_is_continued(server, tmp_path):
    assert fetch(tmp_path, server("once")) == CONTENT
    assert Handler.ranges == [None, f"bytes={SIZE // 2}-"]


def test_as_often_as_it_takes_while_bytes_arrive(server, tmp_path):
    assert fetch(tmp_path, server("slow")) == CONTENT
    assert len(Handler.ranges) == 5


def test_a_later_call_continues_too(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "_ATTEMPTS", 1)
    for call in range(1, 5):
        with pytest.raises(DataError, match=f"after {call * SIZE // 5} of {SIZE} bytes; call agai"):
            fetch(tmp_path, server("slow"))
        assert [p.name for p in tmp_path.iterdir()] == ["file.part"]
    assert fetch(tmp_path, server("slow")) == CONTENT
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_server_that_sends_nothing_is_given_up(server, tmp_path):
    with pytest.raises(DataError, match=f"broke off after 0 of {SIZE} bytes"):
        fetch(tmp_path, server("stuck"))
    assert len(Handler.ranges) == 1


def test_a_server_without_ranges_starts_again(server, tmp_path):
    (tmp_path / "file.part").write_bytes(b"old beginning")
    assert fetch(tmp_path, server("plain")) == CONTENT


def test_a_part_that_is_whole_needs_no_server(tmp_path):
    (tmp_path / "file.part").write_bytes(CONTENT)
    assert fetch(tmp_path, origin("http://127.0.0.1:9/file")) == CONTENT


@pytest.mark.parametrize(
    ("old", "ranges"),
    [(b"another file", ["bytes=12-", None]), (bytes(SIZE), [None]), (bytes(SIZE + 1), [None])],
)
def test_a_bad_part_is_thrown_away_and_fetched_again(server, tmp_path, old, ranges):
    (tmp_path / "file.part").write_bytes(old)
    assert fetch(tmp_path, server("good")) == CONTENT
    assert Handler.ranges == ranges


def test_the_next_mirror_is_tried(server, tmp_path):
    mirrors = [server(name) for name in ("missing", "garbage", "short", "stuck", "good")]
    assert fetch(tmp_path, *mirrors) == CONTENT
    assert len(Handler.ranges) == 5


def test_another_mirror_continues_what_one_began(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "_ATTEMPTS", 1)
    assert fetch(tmp_path, server("slow"), server("good")) == CONTENT
    assert Handler.ranges == [None, f"bytes={SIZE // 5}-"]


@pytest.mark.parametrize(
    ("manner", "words"),
    [
        ("missing", "the server answers 404"),
        ("garbage", f"its sha256 is {hashlib.sha256(GARBAGE).hexdigest()}, expected "),
        ("short", f"another file: {SIZE - 1} bytes, expected {SIZE}"),
    ],
)
def test_reasons(server, tmp_path, manner, words):
    with pytest.raises(DataError, match=rf"/{manner}/file: .*{words}.*--from FILE"):
        fetch(tmp_path, server(manner))
    assert not list(tmp_path.iterdir())


def test_without_a_network(tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # taken, but nobody listens
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/file"
        with pytest.raises(DataError, match="download failed .*refused.*--from FILE"):
            fetch(tmp_path, origin(url))


def test_certificates_of_macos():
    error = OSError("[SSL: CERTIFICATE_VERIFY_FAILED] unable to get local issuer certificate")
    assert "Install Certificates.command" in download._reason(error)


def test_progress_tells_speed_and_time_left(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(download.Progress, "due", lambda self: True)
    fetch(tmp_path, server("good"))
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("file: 1 of 1 MB, ")
    assert last.endswith("MB/s, 0 s left")


@pytest.mark.parametrize("name", ORIGINS)
def test_the_known_origins_can_be_checked(name):
    for known in ORIGINS[name]:
        assert known.url.startswith("https://")
        assert len(known.digest) == 2 * hashlib.new(known.algorithm).digest_size
        assert known.file.endswith((".tgz", ".tar.gz"))
