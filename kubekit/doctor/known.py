"""What `doctor` knows by now: what it was asked, and what its checks have found for each other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kubekit.api.kube import Answer, Kube
from kubekit.cluster import target as cluster
from kubekit.cluster.target import Profile
from kubekit.config.levels import FILE_NAME, Given, choose_cluster, look_for_file
from kubekit.config.validators import label
from kubekit.errors import Place
from kubekit.model import ClusterTarget, Settings
from kubekit.session import Run


@dataclass(kw_only=True)
class Known:
    """One examination; each check reads what those that it builds on have filled in.

    Attributes:
        settings: of the project, where there is a kubekit.yaml that can be read.
        unread: there is a kubekit.yaml, and it cannot be read.
        target: the cluster that a command would act on.
        profile: of the target, where it is a Minikube.
        minikube: whether there is a `minikube` to ask.
        answer: of the API server, on being asked for its version.
        asked: this machine's clock before and after that.
    """

    run: Run
    given: Given
    settings: Settings | None = None
    unread: bool = False
    target: ClusterTarget | None = None
    profile: Profile | None = None
    minikube: bool = False
    kube: Kube | None = None
    answer: Answer | None = None
    asked: tuple[float, float] = (0.0, 0.0)

    @property
    def root(self) -> Path:
        """The project's folder, or the current one."""
        found = look_for_file(self.given)
        return found[0].parent if found else self.given.cwd

    @property
    def env_file(self) -> Path | None:
        """The environment's file, if it is there; without a kubekit.yaml the one it would find."""
        file = self.settings.env_file if self.settings else self.root / ".env"
        return file if file is not None and file.exists() else None

    def aim(self) -> Settings:
        """The settings that name the cluster, also where kubekit.yaml does not.

        Raises:
            UsageError: a flag or a variable is wrong.
        """
        if self.settings is not None:
            return self.settings
        file = self.root / FILE_NAME
        profile, context, origin = choose_cluster(
            self.given, (None, None), lambda _: Place(file=file), cluster.active_profile
        )
        namespace = self.given.pick("namespace", label, {}) or "default"
        return Settings(
            file=file,
            name="",
            namespace=namespace,
            profile=profile,
            context=context,
            origins={"context" if context else "profile": origin},
        )
