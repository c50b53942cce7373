"""What to do about a TLS certificate that cannot be trusted, by OpenSSL's own number for what is wrong with it. Pure.

Numbers and not words: those differ between OpenSSL's versions and libraries that stand in for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

# X509_V_ERR_… of <openssl/x509_vfy.h>.
_UNKNOWN_ISSUER: Final = (2, 18, 19, 20, 21)
_NOT_YET_VALID, _EXPIRED = 9, 10
_WRONG_NAME: Final = (62, 64)

_CURES: Final[Mapping[int, str]] = {
    **dict.fromkeys(
        _UNKNOWN_ISSUER,
        "nobody that this machine trusts has signed its certificate: set {service}_ca_file to the certificate (PEM) of "
        "the authority that did, or to its own if it signed itself ({service}_verify_tls = false checks nothing, and "
        "whoever is on the way can read along)",
    ),
    **dict.fromkeys(
        _WRONG_NAME,
        "its certificate is for another name: set {service}_url to a name that stands in the certificate",
    ),
    _EXPIRED: "its certificate has expired: renew it on the server (is this machine's clock right?)",
    _NOT_YET_VALID: "its certificate is not valid yet: is this machine's clock right?",
}
_OTHERWISE: Final = (
    "check {service}_url (http or https, and a name that stands in the certificate) and {service}_ca_file"
)


def cure(service: str, verify_code: int | None) -> str:
    """Return what a person can do; ``service`` begins the names of the settings, None means that it was no check."""
    return _CURES.get(verify_code or 0, _OTHERWISE).format(service=service)
