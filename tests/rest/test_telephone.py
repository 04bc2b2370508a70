"""Telephone numbers: the same one in many spellings, with the extra `numbers` and without it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ziwo_async import telephone
from ziwo_async.errors import BadArgument, ConfigError
from ziwo_async.telephone import digits, number_key, same_number, to_e164

MOBILE = "+971501234567"


@pytest.fixture
def bare(monkeypatch):
    """As if the extra were not installed: importing it fails."""
    monkeypatch.setitem(sys.modules, "phonenumbers", None)
    telephone._has_rules.cache_clear()
    yield
    telephone._has_rules.cache_clear()


@pytest.fixture(params=["rules", "bare"])
def either(request):
    if request.param == "bare":
        request.getfixturevalue("bare")


# --- digits ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("+971 50 123-4567", "971501234567"),
        ("00971501234567", "971501234567"),
        ("+00971501234567", "971501234567"),
        ("+971 (0)50 123 4567", "971501234567"),
        ("(00)971.50.123/4567", "971501234567"),
        ("050 123 4567", "0501234567"),
        ("(0) 50 123 4567", "0501234567"),
        ("000", "000"),
        ("\u202a+971\u00a050\u2011123\u20114567\u202c", "971501234567"),
        ("\uff0b\uff19\uff17\uff11 50 1234567", "971501234567"),
        ("\u0660\u0665\u0660 \u0661\u0662\u0663 \u0664\u0665\u0666\u0667", "0501234567"),
        ("", ""),
        ("anonymous", ""),
    ],
)
def test_digits(number, expected):
    assert digits(number) == expected


# --- the same number ------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize(
    "spelling",
    [
        "+971 50 123 4567",
        "00971501234567",
        "971501234567",
        "0501234567",
        "(050) 123-4567",
        "+971 (0)50 123 4567",
        "501234567",
        "\u0660\u0665\u0660\u0661\u0662\u0663\u0664\u0665\u0666\u0667",
    ],
)
@pytest.mark.parametrize("region", [None, "AE", "ae"])
def test_one_number_in_many_spellings(spelling, region):
    assert same_number(MOBILE, spelling, region=region)
    assert same_number(spelling, MOBILE, region=region)


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize(
    ("a", "b"),
    [
        (MOBILE, "+971501234568"),
        (MOBILE, "+966501234567"),  # the same last nine digits, and another country
        ("00966501234567", MOBILE),
        ("\uff0b966501234567", MOBILE),  # with the wide plus of East Asian keyboards
        ("0501234567", "0511234567"),
        (MOBILE, "1234567"),
        (MOBILE, "agent-0011"),
        (MOBILE, ""),
        ("agent-0011", "agent-11"),
        ("agent-0011", "0011"),
        ("0011", "11"),
        ("5555", "+5555"),
        ("55 55", "5555"),
        ("*97", "97"),
        ("1234567", "*1234567"),
        ("anonymous", "Anonymous"),
        ("0501234567,,12", "0501234567"),
        ("0501234567 0507654321", "0507654321"),
        ("agent-501234567", "501234567"),
        ("", ""),
        (" ", ""),
    ],
)
def test_different_numbers(a, b):
    assert not same_number(a, b)
    assert not same_number(b, a)


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize(
    "word", ["agent-0011", "0011", "5555", "*97", "#1", "anonymous", "sip:5@acme", "1-800-FLOWERS"]
)
def test_what_is_no_telephone_number_is_the_same_as_itself(word):
    assert same_number(word, word)
    assert same_number(f" {word}\n", word)


def test_with_its_region_a_number_is_read_by_the_rules_of_the_country():
    assert same_number("04 123 4567", "+971 4 123 4567", region="AE")  # the last nine digits differ
    assert same_number("1234 5678", "+65 1234 5678") is False
    assert not same_number("0501234567", MOBILE, region="SA")  # the last nine digits are the same
    assert same_number("0501234567", "+966501234567", region="SA")


@pytest.mark.usefixtures("bare")
def test_without_the_rules_a_region_does_not_count():
    assert same_number("0501234567", MOBILE, region="SA")
    assert not same_number("04 123 4567", "+971 4 123 4567", region="AE")


def test_what_has_no_international_form_is_compared_by_its_last_digits():
    assert same_number("971501234567", MOBILE, region="SA")  # too long for a number of that country
    assert same_number("+999501234567", "+999 501 234 567")  # there is no such country


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("region", ["", "A", "UAE", "1A", "é"])
def test_a_region_that_is_none(region):
    with pytest.raises(BadArgument, match="no region"):
        same_number(MOBILE, MOBILE, region=region)


def test_a_region_that_does_not_exist():
    with pytest.raises(BadArgument, match="no region"):
        same_number(MOBILE, MOBILE, region="XX")


# --- the key of a number --------------------------------------------------------------------------------------------


def test_every_way_of_writing_a_number_has_one_key_in_every_country():
    import phonenumbers
    from phonenumbers import PhoneNumberFormat, PhoneNumberType

    forms = (PhoneNumberFormat.E164, PhoneNumberFormat.INTERNATIONAL, PhoneNumberFormat.NATIONAL)
    kinds = (PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE)
    same = 0
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        for kind in kinds:
            number = phonenumbers.example_number_for_type(region, kind)
            if number is None:
                continue
            plain, *others = (phonenumbers.format_number(number, form) for form in forms)
            for other in others:
                if same_number(plain, other, region=region):
                    same += 1
                    assert number_key(plain) == number_key(other), (region, plain, other)
    assert same > 800


@pytest.mark.usefixtures("either")
def test_what_is_no_telephone_number_is_its_own_key():
    assert number_key(" agent-0011 ") == "agent-0011"
    assert number_key("5555") == "5555"
    assert number_key(MOBILE) == "4567"


# --- E.164 ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "region", "expected"),
    [
        ("00971 50 123 4567", None, MOBILE),
        ("+971 (0)50 123 4567", None, MOBILE),
        ("050 123 4567", "AE", MOBILE),
        ("971501234567", "AE", MOBILE),
        ("050 123 4567", "sa", "+966501234567"),
        ("+39 06 1234 5678", None, "+390612345678"),  # this zero belongs to the number
        ("+97150000000", None, "+97150000000"),
    ],
)
def test_e164(number, region, expected):
    assert to_e164(number, region) == expected
    assert to_e164(expected) == expected


@pytest.mark.parametrize("number", ["", "agent-0011", "0011", "*97", "+999501234567", "+971", "5" * 30, "anonymous"])
def test_what_has_no_e164(number):
    with pytest.raises(BadArgument, match="no telephone number"):
        to_e164(number, "AE")


def test_a_national_number_needs_its_region():
    with pytest.raises(BadArgument, match="region is needed"):
        to_e164("0501234567")


def test_a_number_of_a_town_is_not_international():
    with pytest.raises(BadArgument):
        to_e164("555 0123", "US")


@pytest.mark.usefixtures("bare")
def test_e164_without_the_extra_says_what_to_install():
    with pytest.raises(ConfigError, match=r'pip install "ziwo_async\[numbers\]"'):
        to_e164(MOBILE)


def test_importing_the_module_does_not_load_the_rules():
    code = "import sys, ziwo_async.telephone; print('phonenumbers' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip() == "False"


# --- properties -----------------------------------------------------------------------------------------------------

some_text = st.text(alphabet="+0123456789 -()*#a\u0665\u202a", max_size=20) | st.text(max_size=12)
fixed = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
regions = st.sampled_from([None, "AE", "SA", "FR", "US", "IT"])
nationals = st.text(alphabet="0123456789", min_size=6, max_size=10).map(lambda rest: f"5{rest}")


@st.composite
def spelled(draw, number):
    """The same digits with spaces and marks between them, in other scripts too."""
    zero = draw(st.sampled_from(["0", "\u0660", "\uff10"]))
    marks = st.sampled_from(["", "", " ", "-", ".", "\u00a0", "\u2011", "/"])
    shifted = (chr(ord(zero) + int(c)) if c.isdecimal() else c for c in number)
    return "".join(c + draw(marks) for c in shifted)


@fixed
@given(text=some_text, region=regions)
@pytest.mark.usefixtures("either")
def test_reflexive(text, region):
    assert same_number(text, text, region=region) is bool(text.strip())


@fixed
@given(a=some_text, b=some_text, region=regions)
@pytest.mark.usefixtures("either")
def test_symmetric(a, b, region):
    assert same_number(a, b, region=region) is same_number(b, a, region=region)


@fixed
@given(data=st.data(), number=nationals, prefix=st.sampled_from(["+971", "00971", "0", "971"]), region=regions)
@pytest.mark.usefixtures("either")
def test_independent_of_the_spelling(data, number, prefix, region):
    plain = prefix + number
    odd = data.draw(spelled(plain))
    assert digits(odd) == digits(plain)
    assert same_number(odd, plain, region=region)


@fixed
@given(data=st.data(), a=nationals, b=nationals)
@pytest.mark.usefixtures("either")
def test_no_spelling_makes_two_numbers_one(data, a, b):
    assume(a != b)
    assert not same_number(data.draw(spelled(f"+971{a}")), data.draw(spelled(f"00971{b}")))


@fixed
@given(a=some_text, b=some_text, region=regions)
@pytest.mark.usefixtures("either")
def test_the_same_have_the_same_key(a, b, region):
    if same_number(a, b, region=region):
        assert number_key(a) == number_key(b)


@given(number=some_text, region=regions)
def test_e164_is_a_fixed_point(number, region):
    try:
        found = to_e164(number, region)
    except BadArgument:
        return
    assert found[0] == "+"
    assert found[1:].isascii()
    assert found[1:].isdecimal()
    assert same_number(number, found, region=region)
