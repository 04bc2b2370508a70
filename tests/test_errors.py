"""The error tree: drawn in the docstring, real in the classes, and the same in both."""

from __future__ import annotations

import re

import pytest

from ziwo_async import errors
from ziwo_async.errors import ZiwoError

RETRYABLE = {
    "TransportError", "CannotConnect", "ConnectionLost", "RequestTimeout", "DuplicateSession", "RateLimited",
    "RecordingNotReady", "ServerError", "EavesdropTimeout", "ExpectTimeout",
}  # fmt: skip
ERRORS = sorted(set(errors.__all__) - {"ApiWarning"})  # which is a warning, and lives here for want of a better place


def drawn() -> dict[str, str | None]:
    """Each class of the drawing and the class it stands under."""
    assert errors.__doc__
    parents: dict[str, str | None] = {}
    above: list[tuple[int, str]] = []
    inside = False
    for line in errors.__doc__.splitlines():
        if not inside:
            inside = line.rstrip().endswith("::")
            continue
        if line and not line.startswith(" "):
            break
        found = re.match(r"( +)((?:[A-Z]\w+)(?:, [A-Z]\w+)*)(?:  |$)", line)
        if found is None:
            assert not line.strip(), f"unreadable line in the drawing: {line!r}"
            continue
        indent = len(found.group(1))
        while above and above[-1][0] >= indent:
            above.pop()
        for name in found.group(2).split(", "):
            parents[name] = above[-1][1] if above else None
        above.append((indent, found.group(2).split(", ")[-1]))
    return parents


def real() -> dict[str, str | None]:
    classes = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ZiwoError)]
    return {
        kind.__name__: next((base.__name__ for base in kind.__bases__ if issubclass(base, ZiwoError)), None)
        for kind in classes
    }


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    assert drawn() == real()


def test_every_error_is_exported_and_nothing_else() -> None:
    assert sorted(errors.__all__) == errors.__all__
    assert set(ERRORS) == set(real())
    assert issubclass(errors.ApiWarning, Warning)


def test_every_second_parent_is_told_in_the_drawing() -> None:
    assert errors.__doc__
    for name in real():
        others = [base.__name__ for base in getattr(errors, name).__bases__ if not issubclass(base, ZiwoError)]
        for other in others:
            if other != "Exception":
                assert re.search(rf"\b{name} +\(also {other}\)", errors.__doc__), name


@pytest.mark.parametrize("name", ERRORS)
def test_every_error_says_whether_trying_again_can_help(name: str) -> None:
    assert getattr(errors, name).retryable is (name in RETRYABLE)


@pytest.mark.parametrize("name", ERRORS)
def test_every_error_says_what_it_means(name: str) -> None:
    assert getattr(errors, name).__doc__


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (errors.RequestTimeout, TimeoutError),
        (errors.ExpectTimeout, TimeoutError),
        (errors.HandlerRejected, TypeError),
    ],
)
def test_errors_with_a_builtin_relative_are_caught_as_it(kind: type[ZiwoError], builtin: type[Exception]) -> None:
    with pytest.raises(builtin):
        raise kind("text")


def test_a_lost_connection_tells_reason_and_close_code() -> None:
    lost = errors.ConnectionLost("the connection was lost", reason="reset by peer", close_code=1006)
    assert (str(lost), lost.reason, lost.close_code) == ("the connection was lost", "reset by peer", 1006)
    assert errors.ConnectionLost("gone").reason == "gone"


def test_a_rest_error_tells_the_request_and_the_server_s_words() -> None:
    missing = errors.NotFound("no such agent", status=404, method="GET", path="/agents/7")
    assert str(missing) == "GET /agents/7 failed with HTTP 404: no such agent"
    assert (missing.status, missing.message, missing.method, missing.path) == (404, "no such agent", "GET", "/agents/7")
    assert str(errors.ServerError("", status=502, method="PUT", path="/x")).endswith("HTTP 502: no reason given")
    limited = errors.RateLimited("slow down", status=429, method="GET", path="/x", retry_after=2.5)
    assert (limited.retry_after, limited.status) == (2.5, 429)


def test_a_verto_error_tells_code_method_and_words() -> None:
    refused = errors.VertoError("Permission Denied", code=-32602, method="jsapi")
    assert str(refused) == "jsapi was refused by the server: Permission Denied (-32602)"
    assert (refused.code, refused.message, refused.method) == (-32602, "Permission Denied", "jsapi")


def test_call_errors_tell_the_call_and_their_own_facts() -> None:
    wrong = errors.WrongState("it does not ring", call_id="c", state="active")
    assert (str(wrong), wrong.call_id, wrong.state) == ("call c: it does not ring", "c", "active")
    for kind in (errors.CallRefused, errors.CallEnded):
        ended = kind("it ended", call_id="c", cause="USER_BUSY", cause_code=17)
        assert (ended.cause, ended.cause_code, ended.call_id) == ("USER_BUSY", 17, "c")
        assert kind("it ended", call_id="c").cause is None


def test_an_overflow_tells_how_much_was_dropped() -> None:
    assert errors.StreamOverflow("too slow", dropped=3).dropped == 3
