"""The schemes that the source names beside the projects: files, ledgers, panels, cards."""

from cps.schemes.load import load_scheme, load_schemes
from cps.schemes.record import Scheme

__all__ = ["Scheme", "load_scheme", "load_schemes"]
