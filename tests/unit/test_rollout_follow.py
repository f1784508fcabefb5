"""Followers of an API server that does not answer."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from kubekit.api import follow
from kubekit.api.kube import ApiError, Kube, TransientError
from kubekit.model import Cancel


def test_all_followers_are_given_one_moment_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "_GOODBYE_SECONDS", 2.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = f"http://127.0.0.1:{silent.getsockname()[1]}"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "a", "cluster": {"server": server}}],
            "users": [{"name": "a", "user": {}}],
            "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
        }
        (tmp_path / "config").write_text(json.dumps(config))
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
        kube = Kube(context="a", cancel=Cancel())
        followers = [
            follow.Follower(kube, kind=kind, path="/api/v1/pods", deliver=lambda _update: None)
            for kind in ("A", "B", "C", "D")
        ]
        for follower in followers:
            follower.start()
        silent.settimeout(90)
        asking = [silent.accept()[0] for _ in followers]
        assert all(one.recv(1) for one in asking)
        given: list[float] = []
        join = follow.Follower.join

        def joined(follower: follow.Follower, seconds: float) -> None:
            given.append(seconds)
            join(follower, seconds)

        monkeypatch.setattr(follow.Follower, "join", joined)
        follow.stop(followers)
        hanging = [follower for follower in followers if follower._thread.is_alive()]
    for one in asking:
        one.close()
    for follower in followers:
        join(follower, 60)
    assert len(hanging) == 4, "the test shows nothing if they had ended by themselves"
    assert max(given[1:]) < 0.5, "the first has used up the moment of all"


def test_a_token_that_runs_out_is_renewed_and_one_that_is_wrong_is_told() -> None:
    kube: Any = None
    follower = follow.Follower(kube, kind="Pod", path="", deliver=lambda _update: None)
    with pytest.raises(TransientError, match="credentials"):
        follower._check(401)
    follower._failures = 3
    with pytest.raises(ApiError):
        follower._check(401)
