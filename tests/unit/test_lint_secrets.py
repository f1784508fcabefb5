"""What `kubekit lint` takes for a secret, and what only sounds like one."""

from __future__ import annotations

import pytest

from kubekit.lint.secrets import is_secret


@pytest.mark.parametrize(
    "name",
    [
        *("API_KEY", "SECRET_KEY", "DB_PASSWORD", "DBPASSWORD", "JWT", "JWT_SECRET", "A_TOKEN"),
        *("AWS_SECRET_ACCESS_KEY", "TLS.KEY", "BETTER_AUTH_SECRET", "NPM_AUTH", "PASSPHRASE"),
        *("db-password", "accessToken", "client.secret", "TOKEN_V2", "PASSWORD_OLD"),
        *("CACHE_PASSWORD", "PUBLIC_API_TOKEN", "AUDIT_SECRET", "DB_PASS", "API_TOKENS"),
    ],
)
def test_a_secret_by_its_name(name: str) -> None:
    assert is_secret(name, "a4Kd0")
    assert not is_secret(name, "false")


@pytest.mark.parametrize(
    "name",
    [
        *("PASSWORD_MIN_LENGTH", "TOKEN_TYPE", "TOKEN_EXPIRE_MINUTES", "TOKEN_LIMIT", "MAX_TOKENS"),
        *("JWT_ISSUER", "JWT_AUDIENCE", "JWT_ALGORITHM", "API_KEY_HEADER", "CACHE_KEY_PREFIX"),
        *("SECRET_NAME", "AWS_ACCESS_KEY_ID", "KEY_VAULT_URL", "PUBLIC_KEY", "GPG_KEY", "SORT_KEY"),
        *(
            "KEYCLOAK_HOST",
            "PASSWORD_FILE",
            "AUTH_BACKEND",
            "MONKEY",
            "key",
            "auth",
            "TOKENIZER",
            "COMPASS",
        ),
    ],
)
def test_a_name_that_only_sounds_like_one(name: str) -> None:
    assert not is_secret(name, "a4Kd0")


def test_the_password_in_a_url_counts_and_not_what_only_refers_to_one() -> None:
    assert is_secret("DATABASE_URL", "postgresql://app:a4Kd0@db/app")
    assert is_secret("nginx.conf", "proxy_pass http://app:a4Kd0@up/;")
    for password in ("$(DB_PASSWORD)", "${DB_PASSWORD}", "$DB_PASSWORD"):
        assert not is_secret("DATABASE_URL", f"postgresql://app:{password}@db/app")
    assert is_secret("CONNECTION_STRING", "AccountName=app;AccountKey=a4Kd0")
    assert not is_secret("CONNECTION_STRING", "redis://cache:6379/0")
