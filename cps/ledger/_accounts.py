"""Which item an account is, by the accounting system in force and its name, never by code alone."""

from __future__ import annotations

from typing import NamedTuple

from cps.errors import Severity, Text
from cps.ledger._layout import Layout


class Doubt(NamedTuple):
    """What is odd about an account."""

    code: str
    severity: Severity
    what: Text
    mend: Text


def account_item(
    layout: Layout, name: str, code: str, system: str
) -> tuple[str | None, Doubt | None]:
    """Give the item that an account is, None if it is no income, and what is odd about it.

    Parameters
    ----------
    name, code : str
        As the ledger has them; ``code`` may be empty.
    system : {"2004", "2023"}
        The collectives' accounting system in force.
    """
    chart = layout.accounts[system]
    if name in chart:
        expected, item = chart[name]
        doubt = None
        if code and not code.startswith(expected):
            doubt = Doubt(
                "W-LEDGER-ACCOUNT-CODE",
                "warn",
                Text(
                    f"{system} 年制度下“{name}”的代码是 {expected}，台账为 {code}，按名称读取",
                    f"{name} has code {expected} under the system of {system}, the ledger says "
                    f"{code}: read by name",
                ),
                Text("核对科目代码", "check the account's code"),
            )
        return item or None, doubt
    others = [one for other, one in layout.accounts.items() if other != system]
    if any(chart.get(name, ("", ""))[1] for chart in others):
        return None, Doubt(
            "E-LEDGER-ACCOUNT-SYSTEM",
            "reject",
            Text(
                f"“{name}”不是 {system} 年会计制度的科目",
                f"{name} is no account of the system of {system}, in force in this period",
            ),
            Text("核对会计期间和科目名称", "check the period and the account's name"),
        )
    return None, Doubt(
        "W-LEDGER-ACCOUNT",
        "warn",
        Text(f"不认识科目“{name}”，未读取", f"unknown account {name}: not read"),
        Text("如属收入，请在版式文件的 accounts 中登记", "if it is income, add it to the layout"),
    )
