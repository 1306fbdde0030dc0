"""Figures that were worked out from other figures: the sum is done again, each operand traced."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from cps.facts import Fact
from cps.synthesis._claim_words import decimals_of
from cps.units import YUAN_PER_WAN

_SUMS: dict[type, Callable[[Decimal, Decimal], Decimal]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


@dataclass(frozen=True, slots=True)
class Sum:
    """A formula worked out.

    Parameters
    ----------
    result : Decimal
        In the fact's unit, rounded to ``decimals``.
    agrees : bool
        True if it is the figure given.
    traced : tuple of str
        Facts whose values are operands.
    assumed : tuple of Decimal
        Operands that no fact of the scheme gives.
    """

    result: Decimal
    agrees: bool
    traced: tuple[str, ...]
    assumed: tuple[Decimal, ...]


def work_out(fact: Fact, facts: Sequence[Fact]) -> Sum:
    """Work a derived fact's formula out again and trace its operands to the scheme's facts.

    A share's formula gives a part of one; it is brought to per cent.

    Raises
    ------
    ValueError
        If the formula is anything but +, −, ×, ÷ and brackets over plain decimals, or divides by 0.
    """
    if fact.value is None:
        raise ValueError(f"{fact.id} has no figure")
    tree = ast.parse(fact.formula, mode="eval")
    raw = _value(tree.body)
    if fact.unit == "%":
        raw *= 100
    step = Decimal(1).scaleb(-decimals_of(fact.value))
    result = raw.quantize(step, rounding=ROUND_HALF_UP)
    traced: list[str] = []
    assumed: list[Decimal] = []
    for operand in _operands(tree.body):
        source = _source(operand, fact, facts)
        if source is None:
            assumed.append(operand)
        else:
            traced.append(source)
    return Sum(
        result,
        result == fact.value,
        tuple(dict.fromkeys(traced)),
        tuple(dict.fromkeys(assumed)),
    )


def _value(node: ast.expr) -> Decimal:
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return Decimal(str(node.value))
    if isinstance(node, ast.BinOp) and type(node.op) in _SUMS:
        try:
            return _SUMS[type(node.op)](_value(node.left), _value(node.right))
        except ArithmeticError as error:
            raise ValueError(f"can't work out {ast.unparse(node)}") from error
    raise ValueError(f"{ast.unparse(node)} is no plain sum")


def _operands(node: ast.expr) -> list[Decimal]:
    return [
        Decimal(str(one.value))
        for one in ast.walk(node)
        if isinstance(one, ast.Constant) and type(one.value) in (int, float)
    ]


def _source(operand: Decimal, fact: Fact, facts: Sequence[Fact]) -> str | None:
    for other in facts:
        if other.scheme_id != fact.scheme_id or other.id == fact.id or other.kind == "derived":
            continue
        if operand in (other.value, other.value_to):
            return other.id
        # 9,000 元 stand as 0.9 in a sum of 万元.
        is_money = other.base_unit.startswith("CNY") and other.base_value is not None
        if is_money and operand * YUAN_PER_WAN == other.base_value:
            return other.id
    return None
