"""A Lease whose answers are lost, that another run takes over, or whose API server moves.

What an API server makes of it by itself is in tests/cluster/test_turns.py.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from kubekit.api import lease as module
from kubekit.api.kube import Kube
from kubekit.api.lease import LOCK_ANNOTATION, Lease, Signature
from kubekit.api.ownership import OwnedSet
from kubekit.errors import SupersededError, UsageError
from kubekit.model import Cancel, Object
from tests.conftest import until

OWNED = OwnedSet(project="tasks", namespace="here")
WRITTEN = "/api/v1/namespaces/here/configmaps/a"


class Store:
    """An API server with one Lease, written as Kubernetes does: by its `resourceVersion`.

    Attributes:
        forbids: what is answered to who may make none.
        asked: how often it was asked about the Lease.
        lose: so many answers to come are lost, after what was asked for is done.
        late: so many renewals come in between what looks at it and what deletes it.
        answers: it is silent until this is set.
    """

    def __init__(self, folder: Path) -> None:
        self.there: Object | None = None
        self.written = 0
        self.renewed = 0
        self.lose = 0
        self.late = 0
        self.answers = threading.Event()
        self.answers.set()
        self.forbids: Object | None = None
        self.asked = 0
        self._folder = folder
        self._server: ThreadingHTTPServer | None = None
        self.move()

    def move(self) -> None:
        """Go to another port, as a Minikube that is started again."""
        store = self

        class Answers(_Answers):
            owner = store

        before = self._server
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        config = {
            "clusters": [
                {"name": "a", "cluster": {"server": f"http://127.0.0.1:{self._server.server_port}"}}
            ],
            "users": [{"name": "a", "user": {}}],
            "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
        }
        (self._folder / "config").write_text(json.dumps(config))
        if before is not None:
            before.shutdown()
            before.server_close()

    def close(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def take_over(self) -> None:
        """As a run on another machine does: the object stays the same one."""
        assert self.there is not None
        self.there["metadata"]["annotations"][LOCK_ANNOTATION] = "elsewhere/x"
        self.write(self.there)

    def write(self, body: Object) -> Object:
        self.written += 1
        version = {"resourceVersion": str(self.written), "uid": "1"}
        self.there = {**body, "metadata": {**body["metadata"], **version}}
        return self.there

    def answer(self, method: str, body: Object) -> tuple[int, Object]:
        """What is answered, and done."""
        self.asked += 1
        return self._done(method, body) if self._may(method) else (403, self.forbids or {})

    def _may(self, method: str) -> bool:
        return self.forbids is None or method != "POST"

    def _done(self, method: str, body: Object) -> tuple[int, Object]:
        there = self.there
        if (method == "POST") != (there is None):
            return (409, {}) if there else (404, {})
        assert there is not None or method == "POST"
        version = there["metadata"]["resourceVersion"] if there else ""
        if method == "PUT" and body["metadata"]["resourceVersion"] != version:
            return 409, {}
        if method == "DELETE":
            if self.late and there:
                self.late -= 1
                there = self.write(there)
            known = (there or {})["metadata"]
            if any(known[key] != value for key, value in body["preconditions"].items()):
                return 409, {}
            self.there = None
            return 200, {}
        if method in ("POST", "PUT"):
            self.renewed += method == "PUT"
            return 200, self.write(body)
        return 200, there or {}


class _Answers(BaseHTTPRequestHandler):
    owner: Store

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or "{}")
        self.owner.answers.wait(20)
        code, data = (200, {}) if self.path == WRITTEN else self.owner.answer(self.command, body)
        if self.owner.lose and self.command == "PUT":
            self.owner.lose -= 1
            return
        said = json.dumps(data).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - the library calls them so

    def log_message(self, *_: object) -> None:
        """Not among the tests' output."""


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    monkeypatch.setattr(module, "_RENEW_SECONDS", 0.02)
    store = Store(tmp_path)
    yield store
    store.close()


def made(mark: str = "here/x") -> tuple[Lease, Kube]:
    """A Lease of this lock, and the API that takes it with the first write."""
    plain = Kube(context="a", cancel=Cancel())
    lease = Lease(plain, OWNED, Signature(command="dev", mark=mark))
    return lease, lease.guard(plain)


def write(kube: Kube) -> None:
    kube.request("PUT", WRITTEN, body={})


def mark_of(there: Any) -> str:
    return str(there["metadata"]["annotations"][LOCK_ANNOTATION])


def test_it_is_held_from_the_first_write_to_the_end(store: Store) -> None:
    lease, kube = made()
    kube.get(WRITTEN)
    assert store.there is None
    write(kube)
    assert mark_of(store.there) == "here/x"
    _, other = made("elsewhere/x")
    with pytest.raises(UsageError):
        write(other)
    lease.close()
    assert store.there is None


def test_a_renewal_that_was_under_way_does_not_leave_it_behind(store: Store) -> None:
    lease, kube = made()
    write(kube)
    store.late = 1
    lease.close()
    assert store.there is None


def test_an_api_server_that_hangs_does_not_hold_up_the_end(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_RENEW_SECONDS", 1000.0)
    monkeypatch.setattr(module, "_LAST_SECONDS", 0.1)
    lease, kube = made()
    write(kube)
    store.answers.clear()
    lease.close()
    assert store.there is not None, "it was not waited for until it answered, and deleted it"
    store.answers.set()


def test_a_lost_answer_does_not_take_it_away(store: Store) -> None:
    lease, kube = made()
    write(kube)
    store.lose = 1
    until(lambda: not store.lose)
    before = store.renewed
    until(lambda: store.renewed > before + 1)
    write(kube)
    lease.close()
    assert store.there is None


def test_one_that_was_left_behind_is_taken_over_though_the_answer_is_lost(store: Store) -> None:
    past = "2026-01-01T00:00:00.000000Z"
    spec = {"renewTime": past, "leaseDurationSeconds": 30}
    store.write({"metadata": {"annotations": {LOCK_ANNOTATION: "elsewhere/x"}}, "spec": spec})
    store.lose = 1
    lease, kube = made()
    write(kube)
    assert mark_of(store.there) == "here/x"
    lease.close()


def test_what_another_run_has_taken_over_is_not_written_under_and_not_deleted(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease, kube = made()
    write(kube)
    store.take_over()

    def told() -> bool:
        try:
            write(kube)
        except SupersededError:
            return True
        return False

    until(told)
    lease.close()
    assert mark_of(store.there) == "elsewhere/x"

    store.there = None
    monkeypatch.setattr(module, "_RENEW_SECONDS", 1000.0)
    lease, kube = made()
    write(kube)
    store.take_over()
    lease.close()
    assert mark_of(store.there) == "elsewhere/x", (
        "it was not noticed, and is another's all the same"
    )


def test_who_has_taken_it_over_is_told_though_nothing_is_written(store: Store) -> None:
    """A `dev` that waits for a save writes nothing, and would sync into the other's pods."""
    lease, kube = made()
    write(kube)
    told: list[SupersededError] = []
    lease.on_lost(told.append)
    assert store.there is not None
    store.there["spec"]["holderIdentity"] = "ada@engine"
    store.take_over()
    until(lambda: told)
    assert told[0].message.startswith("`ada@engine` has taken over `tasks` in namespace `here`")
    with pytest.raises(SupersededError, match="`ada@engine` has taken over"):
        write(kube)
    late: list[SupersededError] = []
    lease.on_lost(late.append)
    assert late
    lease.close()


def test_who_may_make_none_is_refused_once(store: Store) -> None:
    store.forbids = {"kind": "Status", "reason": "Forbidden", "code": 403, "message": "no"}
    lease, kube = made()
    write(kube)
    before = store.asked
    write(kube)
    assert store.asked == before
    lease.close()


def test_a_namespace_that_ends_may_come_again(store: Store) -> None:
    cause = {"reason": "NamespaceTerminating", "message": "it ends"}
    said = {"kind": "Status", "reason": "Forbidden", "code": 403, "message": "no"}
    store.forbids = {**said, "details": {"causes": [cause]}}
    lease, kube = made()
    write(kube)
    assert store.there is None
    store.forbids = None
    write(kube)
    assert mark_of(store.there) == "here/x"
    lease.close()


def test_one_that_is_gone_is_made_anew_also_where_the_cluster_is_by_now(store: Store) -> None:
    lease, kube = made()
    store.move()
    kube.renew()
    write(kube)
    assert mark_of(store.there) == "here/x"
    store.there = None
    until(lambda: lease._live is None)
    write(kube)
    assert mark_of(store.there) == "here/x"
    lease.close()
    assert store.there is None
