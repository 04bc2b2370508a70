"""What is the same for everybody: countries, and where files are."""

from __future__ import annotations

from pydantic import Field

from .base import Model, Open

__all__ = ["Country", "CountrySample", "Endpoint", "SampleNumber", "SampleNumbers"]


class SampleNumber(Model):
    """How a number is written (source: Android SDK).

    Attributes:
        international_format: With the country's calling code.
        national_format: As it is dialled inside the country.
    """

    international_format: str | None = None
    national_format: str | None = None


class SampleNumbers(Model):
    """Examples of numbers (source: Android SDK).

    Attributes:
        mobile: A mobile number.
    """

    mobile: SampleNumber | None = None


class CountrySample(Model):
    """Examples of what is usual in a country (source: Android SDK).

    Attributes:
        numbers: Telephone numbers.
    """

    numbers: SampleNumbers | None = None


class Country(Model):
    """A country (record of `GET /static/countries`; source: Android SDK).

    Attributes:
        code: ISO code of two letters.
        calling_code: What international numbers begin with.
        name: Its usual name.
        official_name: Its full name.
        region: Part of the world.
        currency: Open data.
        tld: Its domain; open data.
        sample: Examples of telephone numbers.
    """

    code: str = Field(alias="countryCode")
    calling_code: str | None = None
    name: str | None = None
    official_name: str | None = None
    region: str | None = None
    currency: Open = None
    tld: Open = None
    sample: CountrySample | None = None


class Endpoint(Model):
    """Where a kind of file is (source: Android SDK).

    Attributes:
        endpoint: An address, or a path from the root of the API.
    """

    endpoint: str
