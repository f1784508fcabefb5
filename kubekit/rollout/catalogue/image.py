"""Images that cannot be had (rows 1 to 10). Data, in the order in which they are asked."""

from __future__ import annotations

from kubekit.rollout.cause import Cause
from kubekit.rollout.findings import waiting

_NOT_FOUND = r"not found|manifest unknown|repository does not exist|pull access denied"
_DENIED = r"unauthorized|authentication required|no basic auth|\b40[13]\b|denied"
_NO_REGISTRY = (
    r"i/o timeout|no such host|x509|connection refused|HTTP response to HTTPS|toomanyrequests"
    r"|server misbehaving|TLS handshake|network is unreachable|Temporary failure|deadline exceeded"
)
_PULL = ("ErrImagePull", "ImagePullBackOff", "RegistryUnavailable")

IMAGE: tuple[Cause, ...] = (
    Cause(
        id="image-never-pulled",
        rows=(1,),
        signals="",
        find=waiting("ErrImageNeverPull"),
        cause="image `{image}` is not in the node, and `imagePullPolicy: Never` forbids to pull it",
        fix="build it with kubekit, or load it: `minikube image load --daemon {image}`",
    ),
    Cause(
        id="image-invalid-name",
        rows=(6,),
        signals="",
        find=waiting("InvalidImageName"),
        cause="`{image}` is not a valid image name",
        fix="names are lower case and have no spaces: `name:tag`",
    ),
    Cause(
        id="image-registry-unreachable",
        rows=(5,),
        signals="",
        find=waiting(*_PULL, text=_NO_REGISTRY),
        cause="the node cannot reach the registry of `{image}`: {message}",
        fix="check the node's network, or build the image with kubekit so that nothing is pulled",
        after=45.0,
    ),
    Cause(
        id="image-not-found",
        rows=(2, 3),
        signals="",
        find=waiting(*_PULL, text=_NOT_FOUND),
        cause="image `{image}` does not exist where the node looks for it",
        fix="check name and tag; an image of yours must be built by kubekit or loaded: "
        "`minikube image load --daemon {image}`",
    ),
    Cause(
        id="image-denied",
        rows=(4,),
        signals="",
        find=waiting(*_PULL, text=_DENIED),
        cause="the registry does not let the node pull `{image}`",
        fix="create a pull secret and name it in `imagePullSecrets`",
    ),
    Cause(
        id="image-pull-failed",
        rows=(5, 7),
        signals="",
        find=waiting(*_PULL, "ImageInspectError"),
        cause="image `{image}` cannot be pulled: {message}",
        fix="check the name, and that the node can reach its registry",
        after=45.0,
    ),
)
