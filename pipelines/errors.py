"""Errors that an operator can act on: each names what, where, why and what to do about it."""

from pipelines.redaction import redacted


class OpscopeError(Exception):
    """An error with a place, a cause and a remedy.

    `place` is a file, key, table or record; `cause` says what is wrong there; `remedy` says what to do. None of them
    says a secret: what is quoted from elsewhere may hold one.
    """

    def __init__(self, place: str, cause: str, remedy: str) -> None:
        place, cause, remedy = redacted(place), redacted(cause), redacted(remedy)
        super().__init__(f"{place}: {cause}. {remedy}")
        self.place = place
        self.cause = cause
        self.remedy = remedy


class ContractError(OpscopeError):
    """A contract file is wrong; a defect of the project, not of a delivery."""


class ProfileError(OpscopeError):
    """A company profile is missing or wrong."""


class FileRefusedError(OpscopeError):
    """A delivered file that cannot be trusted as a whole; `reason_code` is one of `ops.REFUSALS`."""

    def __init__(self, reason_code: str, place: str, cause: str, remedy: str) -> None:
        super().__init__(place, cause, remedy)
        self.reason_code = reason_code


class WarehouseError(OpscopeError):
    """The warehouse cannot be opened or holds what it should not."""


class NoWarehouseError(WarehouseError):
    """Nothing was ever loaded here."""


class PublishRefusedError(OpscopeError):
    """The gate refused a publication; the version served before stays."""
