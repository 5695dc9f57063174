"""Endpoint URLs: what is taken, what is refused, and that no password is ever shown."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.endpoint.settings import DEFAULT_URL, EndpointSettings
from shared.endpoint.url import SCHEMES, EndpointUrl, parse_url
from shared.errors import InvalidInputError


def _url(scheme: str, *hosts: tuple[str, int], **parts: object) -> EndpointUrl:
    defaults: dict[str, object] = {"service": "", "path": "", "database": 0, "username": None, "password": None}
    return EndpointUrl(scheme=scheme, hosts=hosts, **{**defaults, **parts})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("redis://localhost:6379/0", _url("redis", ("localhost", 6379))),
        ("redis://localhost", _url("redis", ("localhost", 6379))),
        ("redis://localhost/", _url("redis", ("localhost", 6379))),
        (" redis://localhost\n", _url("redis", ("localhost", 6379))),
        ("redis://h.example./0", _url("redis", ("h.example.", 6379))),
        ("redis://" + "a" * 63, _url("redis", ("a" * 63, 6379))),
        ("redis://b\u00fccher.example", _url("redis", ("b\u00fccher.example", 6379))),
        ("redis://[fe80::1%25eth0]", _url("redis", ("fe80::1%25eth0", 6379))),
        ("redis://h:1/5", _url("redis", ("h", 1), database=5)),
        ("redis://h:65535?db=5", _url("redis", ("h", 65_535), database=5)),
        ("redis://h?protocol=3", _url("redis", ("h", 6379))),
        ("redis://127.0.0.1:7000", _url("redis", ("127.0.0.1", 7000))),
        ("redis://[::1]:7000/2", _url("redis", ("::1", 7000), database=2)),
        ("redis://[::1]", _url("redis", ("::1", 6379))),
        ("redis://:pw@h", _url("redis", ("h", 6379), password="pw")),
        ("redis://u:pw@h", _url("redis", ("h", 6379), username="u", password="pw")),
        ("redis://u@h", _url("redis", ("h", 6379), username="u")),
        ("redis://u:@h", _url("redis", ("h", 6379), username="u")),
        ("rediss://name.region.redis.azure.net:10000", _url("rediss", ("name.region.redis.azure.net", 10_000))),
        ("rediss://u:pw@h:6380/1", _url("rediss", ("h", 6380), username="u", password="pw", database=1)),
        ("unix:///run/redis.sock", _url("unix", path="/run/redis.sock")),
        ("unix:///run/redis%20x.sock?db=3", _url("unix", path="/run/redis x.sock", database=3)),
        ("unix://u:pw@/run/redis.sock", _url("unix", path="/run/redis.sock", username="u", password="pw")),
        (
            "redis+sentinel://h1,h2,h3/name",
            _url("redis+sentinel", ("h1", 26_379), ("h2", 26_379), ("h3", 26_379), service="name"),
        ),
        ("redis+sentinel://h1:1,h2:2/name/4", _url("redis+sentinel", ("h1", 1), ("h2", 2), service="name", database=4)),
        (
            "rediss+sentinel://u:pw@h1/my%20name?db=1",
            _url("rediss+sentinel", ("h1", 26_379), service="my name", database=1, username="u", password="pw"),
        ),
    ],
)
def test_urls_of_all_schemes(text: str, expected: EndpointUrl) -> None:
    parsed = parse_url(text)
    assert parsed == expected
    assert parsed.password == expected.password
    assert (parsed.is_tls, parsed.is_sentinel) == (text.strip().startswith("rediss"), "sentinel" in text)


def test_the_default_url_is_the_designs() -> None:
    assert DEFAULT_URL == "redis://localhost:6379/0"
    assert parse_url(DEFAULT_URL) == _url("redis", ("localhost", 6379))


def test_the_schemes_are_the_designs() -> None:
    assert set(SCHEMES) == {"redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("redis://u:pw@h", "redis://h:6379/0"),
        ("rediss://u:pw@[::1]:1/2", "rediss://[::1]:1/2"),
        ("unix://u:pw@/run/r.sock", "unix:///run/r.sock"),
        ("unix:///run/r.sock?db=2", "unix:///run/r.sock?db=2"),
        ("redis+sentinel://u:pw@h1,h2:5/name/1", "redis+sentinel://h1:26379,h2:5/name/1"),
    ],
)
def test_a_url_is_shown_without_user_and_password(text: str, shown: str) -> None:
    assert str(parse_url(text)) == shown
    assert parse_url(shown).hosts == parse_url(text).hosts


# the parts of the password that must never be seen are spelled s3, cr7 and t9
BAD_URLS = [
    "redis://h?sentinel_password=s3cr7t9",
    "unix:///run/r.sock?sentinel_password=s3cr7t9",
    "rediss://h/0?db=1&sentinel_username=s3cr7t9",
    "redis+sentinel://h/name?sentinel_pasword=s3cr7t9",
    "redis+sentinel://h/name?sentinel_password=s3#cr7t9",
    "redis+sentinel://h/name/x?sentinel_password=s3cr7t9",
    "",
    "localhost:6379",
    "s3cr7:t9@localhost:6379",
    "redis:s3cr7t9@localhost",
    "redis:/:s3cr7t9@localhost",
    "redis:s3://cr7t9@localhost",
    "://:s3cr7t9@localhost",
    "http://:s3cr7t9@localhost:6379",
    "https://u:s3cr7t9@localhost",
    "REDIS://:s3cr7t9@localhost",
    "valkey://:s3cr7t9@localhost",
    "redis+cluster://:s3cr7t9@localhost",
    "sentinel://:s3cr7t9@localhost",
    "redis://",
    "redis:///0",
    "redis://:s3cr7t9@",
    "redis://:s3cr7t9@/0",
    "redis://:s3cr7t9@:6379/0",
    "redis://u:s3@cr7t9@localhost",
    "redis://u:s3cr7t9@@localhost:6379/0",
    "redis://u:@s3cr7@t9@localhost",
    "redis://u:s3/cr7t9@localhost:6379",
    "redis://u:/s3cr7t9@localhost:6379/0",
    "redis://u:s3cr7t9/@localhost",
    "redis://u:s3/cr7t9",
    "redis://u:s3?cr7t9@localhost",
    "redis://u:s3?db=cr7t9@localhost",
    "redis://u:s3?ssl_=cr7t9@localhost",
    "redis://u:s3?protocol=2&cr7t9@localhost",
    "redis://u:s3#cr7t9@localhost",
    "redis://u:s3:cr7t9@localhost",
    "redis://u:s3[cr7]t9",
    "redis://[s3cr7t9",
    "redis://u:s3cr7t9@local host",
    "redis://u:s3cr7t9@localhost:port",
    "redis://u:s3cr7t9@localhost:0",
    "redis://u:s3cr7t9@localhost:65536",
    "redis://u:s3cr7t9@localhost:-1",
    "redis://u:s3cr7t9@localhost:\u0663",
    "redis://u:s3cr7t9@[::1",
    "redis://u:s3cr7t9@h1,h2",
    "redis://u:s3cr7t9@localhost/abc",
    "redis://u:s3cr7t9@localhost/-1",
    "redis://u:s3cr7t9@localhost/1/2",
    "redis://u:s3cr7t9@localhost/\u0663",
    "redis://u:s3cr7t9@localhost/9999999",
    "redis://u:s3cr7t9@localhost?db=",
    "redis://u:s3cr7t9@localhost?db=x",
    "redis://u:s3cr7t9@localhost?nope=1",
    "redis://u:s3cr7t9@localhost?password=s3cr7t9",
    "redis://u:s3cr7t9@localhost?socket_timeout=1",
    "rediss://u:s3cr7t9@localhost?ssl_cert_reqs=none",
    "rediss://u:s3cr7t9@localhost?ssl_check_hostname=false",
    "rediss://u:s3cr7t9@localhost?ssl_ca_certs=x",
    "redis://u:s3cr7t9@localhost#0",
    "unix://",
    "unix:///",
    "unix://u:s3cr7t9@",
    "unix://u:s3cr7t9@localhost/run/r.sock",
    "unix://u:s3/cr7t9@/run/r.sock",
    "unix://:s3cr7t9/run/r.sock",
    "redis+sentinel://u:s3cr7t9@h1,h2",
    "redis+sentinel://u:s3cr7t9@h1,h2/",
    "redis+sentinel://u:s3cr7t9@h1,,h2/name",
    "redis+sentinel://u:s3cr7t9@/name",
    "redis+sentinel://u:s3cr7t9@h1/name/x",
    "redis+sentinel://u:s3/cr7t9@h1/name",
    "redis://u:s3cr7t9@a..b",
    "redis://u:s3cr7t9@.local",
    "redis://u:s3cr7t9@" + "a" * 64,
    "redis://u:s3cr7t9@" + "\u00e9" * 60,
    "rediss://u:s3cr7t9@h..:6379/0",
    "redis+sentinel://u:s3cr7t9@h1,a..b/name",
    "redis://u:s3cr7t9\udcff@localhost",
    "redis://\udcff:s3cr7t9@localhost",
    "redis+sentinel://u:s3cr7t9@h1/\udcff",
    "unix://u:s3cr7t9@/run/%00.sock",
]


def _everything_said(error: BaseException) -> Iterator[str]:
    """Yield what a person could get to see of an error."""
    yield str(error)
    yield repr(error)
    yield repr(error.args)
    yield repr(vars(error))
    yield "".join(line for line in traceback.format_exception(error) if not line.startswith("  File"))


@pytest.mark.parametrize("text", BAD_URLS)
def test_bad_urls_are_refused_without_a_piece_of_the_password(text: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_url(text)
    assert (caught.value.where, caught.value.exit_code) == ("URL", 2)
    for said in _everything_said(caught.value):
        assert not any(piece in said.casefold() for piece in ("s3", "cr7", "t9")), said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("http://h", "the scheme http://"),
        ("redis://u:a@b@h", "%40"),
        ("redis://u:a/b@h", "%2F"),
        ("redis://u:a:b@h", "%3A"),
        ("redis://u:a#b@h", "%23"),
        ("redis://u:a?b@h", "%3F"),
        ("redis://:6379", "for this machine write localhost"),
        ("rediss://h?ssl_cert_reqs=none", "--tls-insecure"),
        ("redis://h1,h2", "any one node"),
        ("redis+sentinel://h1,h2", "the name of the group"),
        ("redis://h/abc", "a database number"),
        ("unix://run/redis.sock", "unix:///run/redis/redis.sock"),
    ],
)
def test_a_refusal_says_how_to_mend_it(text: str, said: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_url(text)
    assert said in str(caught.value)


# all that Unicode has but surrogates, which no text outside Python holds
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


@given(password=texts, username=st.none() | texts, form=st.sampled_from(SCHEMES))
@example(password="@:/?#[]%40 ,+&=;\n\0", username="u@:/?#", form="redis+sentinel")
def test_a_percent_encoded_password_survives_and_is_never_shown(password: str, username: str | None, form: str) -> None:
    userinfo = f"{quote(username or '', safe='')}:{quote(password, safe='')}"
    rest = {"unix": "/run/r.sock"}.get(form, "h1/name" if form.endswith("sentinel") else "h1/3")
    parsed = parse_url(f"{form}://{userinfo}@{rest}")
    assert (parsed.username, parsed.password) == (username, password)
    assert str(parsed) == str(parse_url(f"{form}://{rest}"))
    shown_without = repr(parse_url(f"{form}://{quote(username or '', safe='')}:other@{rest}"))
    assert repr(parsed) == shown_without


@given(password=texts, username=st.none() | texts, user=st.none() | texts, scheme=st.sampled_from(SCHEMES[3:]))
@example(password="a+b&c=d%40?", username="u&+=", user=None, scheme="redis+sentinel")
def test_the_login_of_sentinels_survives_in_the_url_and_is_never_shown(
    password: str, username: str | None, user: str | None, scheme: str
) -> None:
    start = f"{scheme}://{quote(user, safe='') + '@' if user else ''}h1,h2/name/3"
    of_user = f"sentinel_username={quote(username, safe='')}&" if username else ""
    parsed = parse_url(f"{start}?{of_user}sentinel_password={quote(password, safe='')}")
    assert (parsed.sentinel_username, parsed.sentinel_password) == (username, password)
    assert (parsed.username, parsed.password, parsed.database) == (user, None, 3)
    assert str(parsed) == str(parse_url(start))
    assert repr(parsed) == repr(parse_url(f"{start}?{of_user}sentinel_password=other"))
    assert parse_url(parsed.without_password()) == replace(parsed, sentinel_password=None)


@given(st.sampled_from(["", "u"]), st.lists(st.sampled_from([*"@:/?#[]%,&=", "s3", "cr7", "t9"]), max_size=12))
def test_a_password_that_is_not_encoded_is_refused_unseen_or_taken_whole(username: str, pieces: list[str]) -> None:
    """Passwords as people paste them; the pieces are distinct from everything else in the URL and in our sentences."""
    try:
        parsed = parse_url(f"redis://{username}:{''.join(pieces)}@localhost:6379/0")
    except InvalidInputError as error:
        shown = "".join(_everything_said(error))
    else:
        assert parsed.hosts == (("localhost", 6379),)
        shown = str(parsed) + repr(parsed)
    assert not any(piece in shown for piece in ("s3", "cr7", "t9"))


@given(texts)
@example("s3cr7t9")
def test_no_settings_show_a_password(password: str) -> None:
    settings = EndpointSettings(
        url=parse_url(f"redis://u:{quote(password, safe='')}@h"), password=password, tls_ca="ca.pem"
    )
    assert repr(settings) == repr(EndpointSettings(tls_ca="ca.pem"))
    assert str(settings) == repr(settings)
    assert f"{settings}" == repr(settings)
