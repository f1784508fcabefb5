"""Which names are secrets': those whose values are masked, and those that are called an error."""

from __future__ import annotations

import re
import string
from collections.abc import Callable

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from kubekit.secretnames import looks_secret, may_be_secret


@pytest.mark.parametrize(
    "name",
    [
        *("DB_PWD", "SSHKEY", "X_CRED", "PIP_TOKEN", "values.db.password", "PGPASSWORD", "pwd"),
        *("CACHE_PASSWORD", "PUBLIC_API_TOKEN", "AUDIT_TOKEN", "PASSWORD2", "clientSecret"),
        *("APIKey", "AZURE_OPENAI_KEY_1", "DB_PASS", "SECRET_KEY_BASE", "PASSWORD_HASH", "api-key"),
        *("VAULT_SECRET_ID", "NPM_CONFIG__AUTH", "GITHUB_OAUTH", "DOCKER_AUTH_CONFIG", "JWT"),
        *("AZURE_STORAGE_CONNECTION_STRING", "JWT_PRIVATE_PEM", "HTTP_AUTHORIZATION"),
    ],
)
def test_names_of_secrets(name: str) -> None:
    assert looks_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        *("PORT", "values.replicas", "build.args.INDEX", "KEYCLOAK_REALM", "MONKEY", "TOKENIZER"),
        *("AUTHOR", "PASSENGERS", "CREDIT_LIMIT", "PRIVATE_SUBNET", "CACHE_KEY", "tokenType"),
        *("OPENAI_MAX_TOKENS", "GOOGLE_APPLICATION_CREDENTIALS", "NEXT_PUBLIC_ANON_KEY"),
        *(
            "ACCESS_TOKEN_EXPIRES_IN",
            "JWT_AUDIENCE",
            "PASSWORDLESS",
            "PRIMARY_KEY",
            "SECRETS_DIR",
            "COMPASS",
        ),
    ],
)
def test_other_names(name: str) -> None:
    assert not looks_secret(name)


LAST = ("PASSWORD", "PASSWD", "PWD", "PASSPHRASE", "SECRET", "TOKEN", "KEY", "CREDENTIALS", "AUTH")
NOT_OF_KEYS = {"CACHE", "FOREIGN", "GPG", "PARTITION", "PUBLIC", "ROUTING", "SORT"}
STYLES: dict[str, Callable[[list[str]], str]] = {
    "SNAKE_CASE": "_".join,
    "kebab-case": lambda words: "-".join(words).lower(),
    "settings.of.yaml": lambda words: ".".join(words).lower(),
    "PascalCase": lambda words: "".join(word.capitalize() for word in words),
}


@given(
    st.lists(st.text(string.ascii_uppercase, min_size=1, max_size=9), max_size=3),
    st.sampled_from(LAST),
    st.sampled_from(["", "2", "_OLD", "_V2", "_PROD", "_NEXT"]),
    st.sampled_from(sorted(STYLES)),
)
@example(["CACHE"], "PASSWORD", "", "SNAKE_CASE")
@example(["AUDIT"], "TOKEN", "", "SNAKE_CASE")
def test_whatever_stands_before_the_word_it_is_a_secret(
    words: list[str], last: str, end: str, style: str
) -> None:
    assume(not {"MAX", "MIN", "NEXT"} & set(words))
    assume(last != "KEY" or not words or words[-1] not in {*NOT_OF_KEYS, "PUBLISHABLE"})
    assume(words != ["PRIMARY"])
    assume(last != "AUTH" or end in {"", "2"})
    assert looks_secret(STYLES[style]([*words, *f"{last}{end}".split("_")]))


@given(
    st.text(string.ascii_uppercase, max_size=9),
    st.sampled_from([one for one in LAST if one != "AUTH"]),
)
def test_a_word_that_ends_in_one_is_a_secret(start: str, last: str) -> None:
    assume(not start.endswith(("MON", "HOT")))
    assert looks_secret(f"{start}{last}")
    assert looks_secret(f"{start}{last}".lower())


MASKED = re.compile(r"secret|token|passw|pwd|key|cred|auth|private", re.IGNORECASE)
"""What decided alone until the two questions were parted: whatever it knew stays masked."""
SHOWN = (
    *("TOKEN_TTL", "ACCESS_TOKEN_LIFETIME", "PASSWORD_MIN_LENGTH", "authTimeout", "KEY_SIZE"),
    *("AUTHOR", "BOOK_AUTHORS", "MONKEY", "HOTKEYS", "keyboard", "SEARCH_KEYWORDS", "TOKENIZER"),
)
NO_SECRETS = re.compile(
    "(?:^|_)(?:ATTEMPTS|COUNT|DAYS|HOURS|LEEWAY|LENGTH|LIFETIME|LIMIT|MINUTES|ROUNDS|SECONDS|SIZE"
    "|TIMEOUT|TTL)$"
)
OTHER_WORDS = re.compile("(?:^|_)(?:AUTHORS?|HOTKEYS?|KEYBOARD|KEYWORDS?|MONKEY|TOKENIZERS?)$")
WORDS = st.one_of(
    st.text(string.ascii_uppercase, min_size=1, max_size=9),
    st.sampled_from(
        [
            *("AUTH", "AUTHOR", "BASIC", "COOKIE", "DB", "HEADER", "ID", "KEY", "KEYCLOAK", "MAX"),
            *("MIN", "MONKEY", "NEXT", "PATH", "PRIMARY", "PRIVATE", "PUBLIC", "SECRET", "TOKEN"),
            *("URL", "PASSWORD", "PASSWORDPROD", "APIKEYV2", "DBCREDS", "TTL", "SIZE", "COUNT"),
        ]
    ),
)


@pytest.mark.parametrize(
    "name",
    [
        *("COSMOS_PRIMARY_KEY", "PAGERDUTY_ROUTING_KEY", "AUTH_HEADER", "AUTHORIZATION_HEADER"),
        *("AUTH_COOKIE", "REGISTRY_AUTH_JSON", "AUTH_STRING", "AUTH_DATA", "AUTH_CODE", "KEYPASS"),
        *("BASIC_AUTH_USERS", "PASSWORDPROD", "SECRETKEYBASE", "SECRETVALUE", "APIKEYV2"),
        *("DBCREDS", "PRIVATEKEYPEM", "MAX_MIND_LICENSE_KEY", "MIN_IO_SECRET_KEY", "SECRET_PATH"),
        *("WEBHOOK_SECRET_URL", "KEYCLOAKPASS", "COMMONKEY", "SECRET_KEYWORD", "BOT_TOKEN_MAX"),
        *("SESSION_SALT", "DB_PASS", "DB_PASS_1", "SIM_PIN", "JWT"),  # and what that did not know
    ],
)
def test_a_name_that_may_be_a_secret_is_masked(name: str) -> None:
    assert may_be_secret(name)


@pytest.mark.parametrize("name", ["PORT", "REPLICAS", "COMPASS", *SHOWN])
def test_what_is_certainly_none_is_shown(name: str) -> None:
    assert not may_be_secret(name)
    assert not looks_secret(name)


@pytest.mark.parametrize(
    "name", ["MAX_MIND_LICENSE_KEY", "MIN_IO_SECRET_KEY", "COSMOS_PRIMARY_KEY"]
)
def test_a_key_of_a_product_is_no_limit_and_no_column(name: str) -> None:
    assert looks_secret(name)


@given(st.lists(WORDS, min_size=1, max_size=4).map("_".join))
def test_what_was_masked_stays_so_but_for_counts_and_other_words(name: str) -> None:
    told = OTHER_WORDS.sub("", name)
    assume(MASKED.search(told) and not NO_SECRETS.search(name))
    assert may_be_secret(name)
    assert may_be_secret(name.lower())


@given(st.lists(WORDS, min_size=1, max_size=4).map("_".join))
def test_what_is_called_an_error_is_masked(name: str) -> None:
    assert may_be_secret(name) or not looks_secret(name)
