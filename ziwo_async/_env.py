"""Reading `ZIWO_*` variables, apart from `config` because pydantic-settings is slow to import."""

from __future__ import annotations

from typing import TypedDict

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

__all__ = ["Environment", "read_environment"]


class Environment(TypedDict):
    """The values of the variables, None where one is not set."""

    contact_center: str | None
    username: str | None
    password: SecretStr | None
    token: SecretStr | None
    api_url: str | None
    verto_url: str | None
    position: str | None
    api_key: SecretStr | None


class _Variables(BaseSettings):
    # No .env file is read: which one would depend on the working directory.
    model_config = SettingsConfigDict(env_prefix="ZIWO_", env_ignore_empty=True, extra="ignore")

    contact_center: str | None = None
    username: str | None = None
    password: SecretStr | None = None
    token: SecretStr | None = None
    api_url: str | None = None
    verto_url: str | None = None
    position: str | None = None
    api_key: SecretStr | None = None


def read_environment() -> Environment:
    """Give what the environment says. All are optional strings, so that nothing here can fail validation."""
    found = _Variables()
    return Environment(
        contact_center=found.contact_center,
        username=found.username,
        password=found.password,
        token=found.token,
        api_url=found.api_url,
        verto_url=found.verto_url,
        position=found.position,
        api_key=found.api_key,
    )
