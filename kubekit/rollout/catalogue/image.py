"""Images that cannot be had (rows 1 to 10). Data, in the order in which they are asked."""

from __future__ import annotations

from kubekit.rollout.cause import EXPLAINS, Cause
from kubekit.rollout.finders.findings import waiting
from kubekit.rollout.finders.images import (
    NEVER,
    PULL,
    UNREACHABLE_SECONDS,
    absent,
    denied,
    held_back,
    only_on_host,
    pulling,
    wrong_platform,
)

_NOT_FOUND = r"not found|manifest unknown|repository does not exist|pull access denied"
_DENIED = r"unauthorized|authentication required|no basic auth|\b40[13]\b|denied"
_NO_REGISTRY = (
    r"i/o timeout|no such host|x509|connection refused|HTTP response to HTTPS|toomanyrequests"
    r"|server misbehaving|TLS handshake|network is unreachable|Temporary failure|deadline exceeded"
)
_NO_PLATFORM = (
    r"no matching manifest for (?P<platform>[\w./]+)|no match for platform in manifest"
    r"|cannot be used on this platform"
)
_WAITS = "`containerStatuses[].state.waiting` has the reason"

IMAGE: tuple[Cause, ...] = (
    Cause(
        id="image-needs-credentials",
        rows=(8,),
        signals=f"{_WAITS} {NEVER}, though the image is in the node's `status.images` and its "
        "kubelet (1.35 and later) verifies the credentials of pulled images",
        find=held_back,
        cause="image `{image}` is in the node, but was pulled with credentials this pod lacks",
        fix="name the same pull secret in `imagePullSecrets`",
    ),
    Cause(
        id="image-wrong-platform",
        rows=(7,),
        signals=f"{_WAITS} ErrImagePull or ImagePullBackOff with `no matching manifest for`",
        find=wrong_platform(_NO_PLATFORM),
        cause="image `{image}` is not made for {platform}",
        fix="take a tag that is, or build it: `docker buildx build --platform ...`",
    ),
    Cause(
        id="image-only-on-host",
        rows=(2,),
        signals=f"{_WAITS} ErrImagePull, ImagePullBackOff or {NEVER}, and this machine's own "
        "Docker has the image",
        find=only_on_host(_NOT_FOUND, _NO_REGISTRY),
        cause="image `{image}` is in this machine's Docker, but not in Minikube's",
        fix="`minikube image load --daemon {image}`, and not `imagePullPolicy: Always`; or let "
        "kubekit build it",
    ),
    Cause(
        id="image-never-pulled",
        rows=(1,),
        signals=f"{_WAITS} {NEVER}",
        find=absent(NEVER),
        cause="image `{image}` is not in the node, and `imagePullPolicy: Never` forbids to pull it"
        "{instead}",
        fix="{advice}",
    ),
    Cause(
        id="image-invalid-name",
        rows=(6,),
        signals=f"{_WAITS} InvalidImageName",
        find=waiting("InvalidImageName"),
        cause="`{image}` is not a valid image name",
        fix="names are lower case and have no spaces: `name:tag`",
    ),
    Cause(
        id="image-registry-unreachable",
        rows=(5,),
        signals=f"{_WAITS} ErrImagePull, ImagePullBackOff or RegistryUnavailable with a fault of "
        "the network, TLS, name resolution or a rate limit",
        # Asks what this machine has, so that `image-only-on-host` can tell.
        find=absent(*PULL, text=_NO_REGISTRY),
        cause="the node cannot reach the registry of `{image}`: {message}",
        fix="check the node's network, or build the image with kubekit so that nothing is pulled",
        after=UNREACHABLE_SECONDS,
    ),
    Cause(
        id="image-not-found",
        rows=(3,),
        signals=f"{_WAITS} ErrImagePull or ImagePullBackOff with `not found`, `manifest unknown` "
        "or `pull access denied`",
        find=absent(*PULL, text=_NOT_FOUND),
        cause="image `{image}` is {absence}{instead}",
        fix="{advice}",
    ),
    Cause(
        id="image-denied",
        rows=(4,),
        signals=f"{_WAITS} ErrImagePull or ImagePullBackOff with `unauthorized`, 401, 403 or "
        "`denied`",
        find=denied(_DENIED),
        cause="the registry does not let the node pull `{image}`{because}",
        fix="{advice}",
    ),
    Cause(
        id="image-pull-failed",
        rows=(5,),
        signals=f"{_WAITS} ErrImagePull, ImagePullBackOff, ImageInspectError or "
        "SignatureValidationFailed with any other text",
        find=waiting(*PULL, "ImageInspectError", "SignatureValidationFailed"),
        cause="image `{image}` cannot be pulled: {message}",
        fix="check the name, and that the node can reach its registry",
        after=UNREACHABLE_SECONDS,
    ),
    Cause(
        id="image-pulling",
        rows=(10,),
        signals="an event `Pulling` of the container, and none that says how it ended",
        find=pulling,
        cause="image `{image}` is being pulled{so_far}",
        fix="nothing: it passes; `minikube image load` brings it in beforehand",
        after=EXPLAINS,
    ),
)
