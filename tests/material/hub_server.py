"""A Hugging Face hub on this machine, as far as its own client needs one to share models.

It makes repositories, takes commits with files in them and in LFS, and gives files of a commit.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

TOKEN = "hf_of_the_test"
LFS_NAMES = (".onnx", ".parquet")


class Repository:
    """Files by commit; the first commit is empty but for what a hub puts there."""

    def __init__(self, private: bool) -> None:
        self.private = private
        self.commits: list[str] = []
        self.files: dict[str, dict[str, bytes]] = {}
        self.messages: list[str] = []
        self.add({".gitattributes": b"*.onnx filter=lfs\n"}, "initial commit")

    @property
    def head(self) -> str:
        return self.commits[-1]

    def add(self, files: dict[str, bytes], message: str) -> str:
        sha = hashlib.sha1(repr((self.commits, sorted(files))).encode()).hexdigest()
        self.commits.append(sha)
        self.files[sha] = files
        self.messages.append(message)
        return sha

    def commit_of(self, revision: str) -> str | None:
        return self.head if revision == "main" else revision if revision in self.files else None


class Hub(ThreadingHTTPServer):
    """The hub; `repositories` by OWNER/NAME, `stored` the files in LFS, `requests` what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.repositories: dict[str, Repository] = {}
        self.stored: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.before_commit: Callable[[], None] = lambda: None
        self.fail_lfs = False

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        return None

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _answer(self, status: int, content: object = None, **headers: str) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content or {}).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _knows_us(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def _repository(self, name: str) -> Repository | None:
        found = self.server.repositories.get(name)
        if found is not None and (self._knows_us() or not found.private):
            return found
        status = 404 if self._knows_us() else 401
        self._answer(status, {"error": "Repository not found"}, X_Error_Code="RepoNotFound")
        return None

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server.requests.append(f"{self.command} {path}")
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?", path):
            self._info(match[1], match[2] or "main")
        elif match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self._file(match[1], match[2], match[3])
        else:
            self._answer(404, {"error": path})

    def _info(self, name: str, revision: str) -> None:
        repository = self._repository(name)
        if repository is None:
            return
        commit = repository.commit_of(revision)
        if commit is None:
            self._answer(404, {"error": "Invalid rev"}, X_Error_Code="RevisionNotFound")
            return
        siblings = [{"rfilename": file} for file in repository.files[commit]]
        self._answer(200, {"id": name, "modelId": name, "sha": commit, "siblings": siblings, "tags": []})

    def _file(self, name: str, revision: str, file: str) -> None:
        repository = self._repository(name)
        if repository is None:
            return
        commit = repository.commit_of(revision)
        content = repository.files.get(commit or "", {}).get(file)
        if commit is None or content is None:
            self._answer(404, {"error": "Entry not found"}, X_Error_Code="EntryNotFound")
            return
        etag = f'"{hashlib.sha256(content).hexdigest()}"'
        self._answer(200, content, ETag=etag, X_Repo_Commit=commit, Accept_Ranges="bytes")

    def do_PUT(self) -> None:
        self.server.requests.append(f"PUT {self.path}")
        data = self._body()
        if self.server.fail_lfs:
            self._answer(400, {"error": "broken off"})
            return
        self.server.stored[self.path.rpartition("/")[2]] = data
        self._answer(200)

    def do_POST(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server.requests.append(f"POST {path}")
        body = self._body()
        if path == "/api/validate-yaml":
            self._answer(200, {"errors": [], "warnings": []})
        elif not self._knows_us():
            self._answer(401, {"error": "Invalid credentials"})
        elif path == "/api/repos/create":
            given = json.loads(body)
            name = f"{given.get('organization') or 'somebody'}/{given['name']}"
            private = bool(given.get("private")) or given.get("visibility") == "private"
            self.server.repositories.setdefault(name, Repository(private))
            self._answer(200, {"url": f"{self.server.address}/{name}", "id": name})
        elif match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/preupload/(.+)", path):
            if self._repository(match[1]) is not None:
                self._answer(200, {"files": [_mode(file) for file in json.loads(body)["files"]]})
        elif match := re.fullmatch(r"/([^/]+/[^/]+)\.git/info/lfs/objects/batch", path):
            self._answer(200, self._batch(json.loads(body)))
        elif match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/(.+)", path):
            self._commit(match[1], match[2], body)
        else:
            self._answer(404, {"error": path})

    def _batch(self, given: dict[str, Any]) -> dict[str, Any]:
        upload = {"upload": {"href": f"{self.server.address}/lfs/", "header": {}}}
        objects = []
        for one in given["objects"]:
            actions = {"upload": {**upload["upload"], "href": f"{self.server.address}/lfs/{one['oid']}"}}
            objects.append({**one, "actions": actions})
        return {"transfer": "basic", "objects": objects}

    def _commit(self, name: str, revision: str, body: bytes) -> None:
        self.server.before_commit()
        repository = self._repository(name)
        if repository is None:
            return
        lines = [json.loads(line) for line in body.splitlines()]
        header = lines[0]["value"]
        if header.get("parentCommit") not in (None, repository.head):
            self._answer(412, {"error": "A commit has happened since"})
            return
        files = dict(repository.files[repository.head])
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.server.stored[value["oid"]]
            elif line["key"] == "deletedFile":
                del files[value["path"]]
        sha = repository.add(files, header["summary"])
        url = f"{self.server.address}/{name}/commit/{sha}"
        self._answer(200, {"success": True, "commitOid": sha, "commitUrl": url, "hookOutput": ""})


def _mode(file: dict[str, Any]) -> dict[str, Any]:
    mode = "lfs" if file["path"].endswith(LFS_NAMES) else "regular"
    return {"path": file["path"], "uploadMode": mode, "shouldIgnore": False, "oid": None}


@contextmanager
def hub_server() -> Iterator[Hub]:
    """Run a hub, empty at first."""
    server = Hub()
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
