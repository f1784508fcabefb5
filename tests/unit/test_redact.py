"""Secret values are masked in every shape a text can have."""

from __future__ import annotations

import base64
import json
import string
from collections.abc import Callable

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from kubekit.errors import WorkloadError
from kubekit.events import Event, Failed, Output
from kubekit.redact import MASK, Redactor, looks_secret, shapes


def test_everything_an_event_holds() -> None:
    seen: list[Event] = []
    emit = Redactor(["hunter22", "hunter22-long"]).wrap(seen.append)
    emit(Output(text="a hunter22-long b", data={"hunter22": ["x", ("hunter22",)]}))
    emit(Failed(id="x", exit_code=6, message="hunter22", details=("log: hunter22",)))
    assert seen[0] == Output(text=f"a {MASK} b", data={MASK: ["x", (MASK,)]})
    assert "hunter22" not in repr(seen)


def test_errors_keep_their_kind() -> None:
    error = Redactor(["hunter22"]).error(WorkloadError("is hunter22", hints=("hunter22",)))
    assert isinstance(error, WorkloadError)
    assert (str(error), error.hints) == (f"is {MASK}", (MASK,))


def test_short_values_are_left() -> None:
    assert Redactor(["1", "dev"]).clean("dev 1") == "dev 1"


def test_lines_of_a_key_are_masked_one_by_one() -> None:
    redactor = Redactor(["-----BEGIN-----\nabcdef\n"])
    assert redactor.clean("seen: abcdef") == f"seen: {MASK}"


@given(st.text(min_size=4))
def test_a_value_is_masked_as_json_and_base64_show_it(value: str) -> None:
    redactor = Redactor(shapes(value))
    for shown in (
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        base64.b64encode(value.encode()).decode(),
    ):
        assert redactor.clean(shown) == MASK


def test_the_password_of_a_url_is_masked_alone_as_the_program_sees_it() -> None:
    redactor = Redactor(shapes("postgres://me:p%40ss%22word@db/tasks"))
    for shown in ("p%40ss%22word", 'p@ss"word', 'p@ss\\"word'):
        assert redactor.clean(f"FATAL: {shown}!") == f"FATAL: {MASK}!"


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
        *("ACCESS_TOKEN_EXPIRES_IN", "JWT_AUDIENCE", "PASSWORDLESS", "SECRETS_DIR", "COMPASS"),
    ],
)
def test_other_names(name: str) -> None:
    assert not looks_secret(name)


LAST = ("PASSWORD", "PASSWD", "PWD", "PASSPHRASE", "SECRET", "TOKEN", "KEY", "CREDENTIALS", "AUTH")
NOT_OF_KEYS = {"CACHE", "FOREIGN", "GPG", "PARTITION", "PRIMARY", "PUBLIC", "ROUTING", "SORT"}
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


@given(st.lists(st.text("abc", min_size=4, max_size=8), max_size=5), st.text("abcd "))
def test_no_value_survives(values: list[str], text: str) -> None:
    cleaned = Redactor(values).clean(text)
    assert not any(value in cleaned for value in values)
