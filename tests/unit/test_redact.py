"""Secret values are masked in every shape a text can have."""

from __future__ import annotations

import base64
import json

from hypothesis import given
from hypothesis import strategies as st

from kubekit.errors import WorkloadError
from kubekit.events import Event, Failed, Output
from kubekit.redact import MASK, Redactor, shapes


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


@given(st.lists(st.text("abc", min_size=4, max_size=8), max_size=5), st.text("abcd "))
def test_no_value_survives(values: list[str], text: str) -> None:
    cleaned = Redactor(values).clean(text)
    assert not any(value in cleaned for value in values)
