"""`kubekit why` where no cluster can be asked: what it would look at, and what it will not."""

from __future__ import annotations

import pytest

from tests.cli.world import World


def test_without_any_cluster_it_says_how_to_name_one(world: World) -> None:
    result = world.run("why")
    assert result.code == 2
    assert "the kubeconfig has no current context, and no cluster was named" in result.err
    assert "--context" in result.err


def test_without_a_project_it_is_the_current_context(world: World) -> None:
    world.context("staging")
    result = world.run("why")
    assert result.code == 8
    assert "the API server of context `staging`" in result.err
    assert "looking in namespace `default` of `staging`" in result.err
    assert "kubekit up" not in result.err


def test_the_namespace_of_the_context_is_the_default(world: World) -> None:
    world.context("staging")
    text = world.kubeconfig.read_text().replace(
        "user: staging", "namespace: shop\n    user: staging"
    )
    world.kubeconfig.write_text(text)
    assert "namespace `shop` of `staging`" in world.run("why").err
    assert "namespace `other` of `staging`" in world.run("why", "-n", "other").err
    assert "in all namespaces of `staging`" in world.run("why", "-A").err


def test_a_context_that_is_no_minikube_may_be_looked_at_from_a_project(world: World) -> None:
    world.context("staging")
    world.project("context: staging\n")
    assert "kubekit does not touch it" in world.run("status").err
    result = world.run("why")
    assert result.code == 8
    assert f"namespace `{world.name}` of `staging`" in result.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--context", "stagin"), "did you mean `staging`?"),
        (("--profile", "nowhere"), "there is no Minikube profile `nowhere`"),
        (("--profile", "a", "--context", "b"), "name a cluster each"),
        (("--file", "nowhere.yaml"), "nowhere.yaml"),
        (("ingress/web",), "`ingress` is no kind that can be judged"),
        (("deploy/",), "`deploy/` names no object"),
        (("-n", "No_Name"), "No_Name"),
    ],
)
def test_what_is_named_wrongly(world: World, arguments: tuple[str, ...], said: str) -> None:
    world.context("staging")
    result = world.run("why", *arguments)
    assert result.code in (2, 8)
    assert said in result.err


def test_a_project_that_is_wrong_is_told(world: World) -> None:
    world.context("staging")
    world.write("kubekit.yaml", "nmae: web\n")
    result = world.run("why")
    assert result.code == 2
    assert "unknown key `nmae`" in result.err
