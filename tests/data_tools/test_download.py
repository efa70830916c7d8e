import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from data_tools import DataError
from data_tools.download import download

CONTENT = bytes(range(256)) * 4000
RIGHT = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Serves CONTENT at /good, cut at /cut, without ranges at /plain, garbage at /wrong."""

    ranges: list = []

    def do_GET(self):
        self.ranges.append(self.headers.get("Range"))
        if self.path == "/missing":
            self.send_error(404)
            return
        content = b"garbage" if self.path == "/wrong" else CONTENT
        start = 0
        wanted = self.headers.get("Range")
        if wanted and self.path in ("/good", "/cut"):
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(content):
                self.send_error(416)
                return
            self.send_response(206)
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        end = len(content) // 2 if self.path == "/cut" and start == 0 else len(content)
        self.wfile.write(content[start:end])

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    Handler.ranges = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()


def test_a_whole_file(server, tmp_path):
    target = download((f"{server}/good",), tmp_path / "new" / "file", RIGHT)
    assert target.read_bytes() == CONTENT
    assert [p.name for p in target.parent.iterdir()] == ["file"]


def test_a_broken_connection_is_continued(server, tmp_path):
    target = tmp_path / "file"
    with pytest.raises(DataError, match="broke off|IncompleteRead"):
        download((f"{server}/cut",), target, RIGHT)
    assert not target.exists()
    assert (tmp_path / "file.part").stat().st_size == len(CONTENT) // 2
    assert download((f"{server}/cut",), target, RIGHT).read_bytes() == CONTENT
    assert Handler.ranges[-1] == f"bytes={len(CONTENT) // 2}-"


def test_a_server_without_ranges_starts_again(server, tmp_path):
    (tmp_path / "file.part").write_bytes(b"old beginning")
    assert download((f"{server}/plain",), tmp_path / "file", RIGHT).read_bytes() == CONTENT


def test_a_part_that_is_whole_already(server, tmp_path):
    (tmp_path / "file.part").write_bytes(CONTENT)
    assert download((f"{server}/good",), tmp_path / "file", RIGHT).read_bytes() == CONTENT


def test_the_next_mirror_is_tried(server, tmp_path):
    mirrors = tuple(f"{server}/{name}" for name in ("missing", "wrong", "good"))
    assert download(mirrors, tmp_path / "file", RIGHT).read_bytes() == CONTENT


def test_when_every_mirror_fails_each_reason_is_told(server, tmp_path):
    with pytest.raises(DataError, match=r"404.*expected .*\.\.\..*--from FILE"):
        download((f"{server}/missing", f"{server}/wrong"), tmp_path / "file", RIGHT)
    assert not list(tmp_path.iterdir())


def test_without_a_network(tmp_path):
    with pytest.raises(DataError, match="could not be downloaded.*--from FILE"):
        download(("http://127.0.0.1:9/x",), tmp_path / "file", RIGHT)
