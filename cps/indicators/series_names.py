"""What the series that indicators need are called in a ledger."""

from __future__ import annotations

from collections.abc import Sequence

from cps.errors import Text

SERIES: dict[str, Text] = {
    "income_yuan": Text("经营性收入", "operating income"),
    "jobs_persons": Text("家门口就业人数", "jobs near home"),
    "direct_operating_income_yuan": Text("经营收入", "income of own operations"),
    "investment_income_yuan": Text("投资收益", "investment income"),
    "contract_income_yuan": Text("发包及上交收入", "rents and dues"),
    "subsidy_income_yuan": Text("补助收入", "subsidies"),
    "dividends_yuan": Text("成员分红", "dividends to members"),
    "net_surplus_yuan": Text("净收益", "net surplus"),
    "members_persons": Text("成员人数", "number of members"),
}


def named(series: Sequence[str]) -> Text:
    """Give the names of series as one phrase; one without a name stands as it is."""
    names = [SERIES.get(one, Text(one, one)) for one in series]
    return Text("、".join(one.zh for one in names), ", ".join(one.en for one in names))
