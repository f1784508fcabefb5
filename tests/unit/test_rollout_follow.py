"""Followers of an API server that does not answer."""

from __future__ import annotations

import json
import socket
import time
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
        time.sleep(0.2)
        began = time.monotonic()
        follow.stop(followers)
        took = time.monotonic() - began
        hanging = [follower for follower in followers if follower._thread.is_alive()]
    for follower in followers:
        follower.join(5)
    assert len(hanging) == 4, "the test shows nothing if they had ended by themselves"
    assert took < 6.0, "one after the other they take 8 s"


def test_a_token_that_runs_out_is_renewed_and_one_that_is_wrong_is_told() -> None:
    kube: Any = None
    follower = follow.Follower(kube, kind="Pod", path="", deliver=lambda _update: None)
    with pytest.raises(TransientError, match="credentials"):
        follower._check(401)
    follower._failures = 3
    with pytest.raises(ApiError):
        follower._check(401)
