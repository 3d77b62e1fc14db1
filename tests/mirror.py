"""A small MIMII: archives of the true structure, their table, and a mirror on loopback that can misbehave."""

import hashlib
import io
import re
import threading
import zipfile
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import soundfile
import yaml

NORMAL, ABNORMAL = 14, 3


def clip_bytes(seed, samples=6000, channels=2):
    """A wav file with the header of MIMII's."""
    content = io.BytesIO()
    noise = np.random.default_rng(seed).normal(0, 0.1, (samples, channels))
    soundfile.write(content, noise, 16000, format="WAVEX", subtype="PCM_16")
    return content.getvalue()


def small_archive(machine="fan", ids=("id_00", "id_02"), normal=NORMAL, abnormal=ABNORMAL, seed=0, clip=clip_bytes):
    """Content of an archive: {name of a member: its bytes}."""
    members = {}
    for number, id in enumerate(ids):
        for label, count in (("normal", normal), ("abnormal", abnormal)):
            for file in range(count):
                key = [seed, number, label == "abnormal", file]
                members[f"{machine}/{id}/{label}/{file:08d}.wav"] = clip(key)
    return members


def packed(members, compression=zipfile.ZIP_DEFLATED):
    """A zip file's bytes, with folder entries as the official archives have them."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as archive:
        for name in sorted({f"{name.rsplit('/', depth)[0]}/" for name in members for depth in (1, 2, 3)}):
            archive.writestr(name, b"")
        for name, data in members.items():
            archive.writestr(name, data)
    return content.getvalue()


def table(archives, clips, exact=True):
    """Text of mimii_archives.yaml for {archive name: bytes} and {machine: {ID: (normal, abnormal)}}."""
    return yaml.safe_dump(
        {
            "archives": {
                name: {
                    "bytes": len(content) if exact else None,
                    "about": len(content),
                    "md5": hashlib.md5(content, usedforsecurity=False).hexdigest(),
                }
                for name, content in archives.items()
            },
            "clips": {
                machine: {id: {"normal": normal, "abnormal": abnormal} for id, (normal, abnormal) in ids.items()}
                for machine, ids in clips.items()
            },
        }
    )


class Mirror:
    """Serves files by name. What it does wrong is set by its attributes; each fault happens so many times, then stops.

    drops: connections cut off in the middle; refusals: statuses answered instead of the file, with `retry_after`;
    location: sent with them, for a redirect; ranges: whether it heeds them; length: whether it says how long the answer
    is; endless: whether the answer goes on for ever.
    requests: (name, Range header) of each request so far.
    """

    def __init__(self, files):
        self.files = dict(files)
        self.drops = 0
        self.refusals = []
        self.retry_after = None
        self.location = None
        self.endless = False
        self.ranges = True
        self.length = True
        self.requests = []
        self.address = ""

    def names(self):
        return [name for name, _ in self.requests]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        mirror = self.server.mirror
        name, asked = self.path.lstrip("/").split("?")[0], self.headers.get("Range")
        mirror.requests.append((name, asked))
        if mirror.refusals:
            return self.refuse(mirror.refusals.pop(0), {"Retry-After": mirror.retry_after, "Location": mirror.location})
        if name not in mirror.files:
            return self.refuse(404)
        content = mirror.files[name]
        first = 0
        if asked and mirror.ranges:
            first = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])
            if first >= len(content):
                return self.refuse(416, {"Content-Range": f"bytes */{len(content)}"})
        self.send_response(206 if asked and mirror.ranges else 200)
        if asked and mirror.ranges:
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        if mirror.length:
            self.send_header("Content-Length", str(len(content) - first))
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        body = content[first:]
        if mirror.drops:
            mirror.drops -= 1
            body = body[: len(body) // 2]
        self.wfile.write(body)
        while mirror.endless:
            try:
                self.wfile.write(body)
            except OSError:  # hung up
                mirror.endless = False
        return None

    def refuse(self, status, headers=None):
        self.send_response(status)
        for key, value in (headers or {}).items():
            if value is not None:
                self.send_header(key, value)
        self.send_header("Content-Length", "0")
        self.end_headers()


@contextmanager
def serving(files):
    """A Mirror of `files` ({name: bytes}) on loopback, in a thread."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.mirror = mirror = Mirror(files)
    mirror.address = f"http://127.0.0.1:{server.server_port}/{{archive}}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield mirror
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
