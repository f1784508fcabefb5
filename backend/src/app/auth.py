"""Who is asking.

An `Authenticator` turns the bearer token (or its absence) into a subject. There are three: tokens
signed with BETTER_AUTH_SECRET; everybody is "dev", which needs APP_ENV=dev said aloud; and nobody,
when neither is configured. `create_app` takes any other, for example one that asks a JWKS (which
is what Better Auth's own JWT plugin offers by default, with EdDSA).
"""

import logging
from collections.abc import Callable
from typing import Annotated

import jwt
from fastapi import Depends, HTTPException, Request, status
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import SecretStr

from app.models import OWNER_LENGTH
from app.settings import Settings

log = logging.getLogger(__name__)

Authenticator = Callable[[str | None], str]

LEEWAY_SECONDS = 30  # clocks differ


def choose_authenticator(settings: Settings) -> Authenticator:
    """Pick by what is configured: a missing secret opens the service only on purpose."""
    if settings.better_auth_secret is not None:
        return bearer_tokens(settings.better_auth_secret)
    if settings.app_env == "dev":
        log.warning("BETTER_AUTH_SECRET is not set and APP_ENV is dev: everybody is let in")
        return everybody
    log.error("BETTER_AUTH_SECRET is not set: /api answers 503 and the pod never gets ready")
    return nobody


def bearer_tokens(secret: SecretStr) -> Authenticator:
    """Accept tokens signed with this secret; HS256 is pinned, so a token cannot choose."""
    key = secret.get_secret_value()

    def authenticate(token: str | None) -> str:
        if token is None:
            raise _unauthorized("bearer token required")
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=["HS256"],
                leeway=LEEWAY_SECONDS,
                # A caller's `aud` is the issuer's business: one secret, one service.
                options={"require": ["exp", "sub"], "verify_aud": False},
            )
        except jwt.InvalidTokenError as error:
            log.info("token refused", extra={"fields": {"reason": type(error).__name__}})
            raise _unauthorized("invalid token") from None
        subject: str = claims["sub"]
        if not (0 < len(subject) <= OWNER_LENGTH and subject.isprintable()):
            raise _unauthorized("invalid token")
        return subject

    return authenticate


def everybody(_token: str | None) -> str:
    """Let everybody in as one user: a laptop or a demo."""
    return "dev"


def nobody(_token: str | None) -> str:
    """Refuse because of our configuration, not because of the caller."""
    raise HTTPException(status.HTTP_503_SERVICE_UNAVAILABLE, "authentication is not configured")


def _unauthorized(detail: str) -> HTTPException:
    return HTTPException(
        status.HTTP_401_UNAUTHORIZED, detail, headers={"WWW-Authenticate": "Bearer"}
    )


def current_subject(
    request: Request,
    credentials: Annotated[
        HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))
    ],
) -> str:
    """Name the owner of everything this request may touch."""
    authenticate: Authenticator = request.app.state.authenticate
    return authenticate(credentials.credentials if credentials else None)


Subject = Annotated[str, Depends(current_subject)]
