"""How the numbers were made: method, parameters, versions, hashes."""

from __future__ import annotations

from cps.locale import Content, Listing, Message
from cps.report.blocks import Block, Column, Facts, Heading, Table
from cps.report.sections._common import inference_name
from cps.runs import Run

ORDER = 80
PAGE = "both"
TEXT = {
    "zh": {
        "heading": "方法、参数与溯源",
        "method": "主结果方法",
        "estimand": "估计量",
        "reference": "文献",
        "inference": "推断方法",
        "assumes": "推断所依赖的假定",
        "options": "选项",
        "seed": "随机种子",
        "parameters": "参数",
        "version": "cps 版本",
        "libraries": "程序库",
        "python": "Python 版本",
        "code": "代码 SHA-256",
        "data": "全部台账的 SHA-256",
        "design_hash": "设计哈希",
        "run_hash": "运行哈希",
        "inputs": "读入的台账及其 SHA-256",
        "file": "文件",
        "sha": "SHA-256",
    },
    "en": {
        "heading": "Method, parameters and provenance",
        "method": "Method of the headline",
        "estimand": "Estimand",
        "reference": "Reference",
        "inference": "Inference",
        "assumes": "What the inference takes for granted",
        "options": "Options",
        "seed": "Seed",
        "parameters": "Parameters",
        "version": "cps version",
        "libraries": "Libraries",
        "python": "Python version",
        "code": "SHA-256 of the code",
        "data": "SHA-256 of all ledgers",
        "design_hash": "Hash of the design",
        "run_hash": "Hash of the run",
        "inputs": "Ledgers read, with their SHA-256",
        "file": "File",
        "sha": "SHA-256",
    },
}


def build(run: Run) -> list[Block]:
    """Give all that is needed to make the numbers again."""
    manifest = run.manifest
    rows: list[tuple[str, Content]] = []
    if run.effects:
        effect = run.effects[0]
        options = tuple(f"{name}={value}" for name, value in effect.options.items())
        rows += [
            ("method", effect.method_name),
            ("estimand", effect.estimand),
            ("reference", effect.reference),
            ("inference", inference_name(effect)),
            *([("assumes", effect.assumes)] if effect.assumes else []),
            ("options", Listing(options)),
        ]
    rows += [
        ("seed", str(manifest.seed)),
        (
            "parameters",
            Listing(tuple(f"{name}={value}" for name, value in manifest.parameters.items())),
        ),
        ("version", manifest.cps_version),
        (
            "libraries",
            Listing(tuple(f"{name} {one}" for name, one in manifest.library_versions.items())),
        ),
        ("python", manifest.python_version),
        ("code", manifest.code_sha256),
        ("data", manifest.data_sha256),
        ("design_hash", str(run.design.get("design_hash", ""))),
        ("run_hash", manifest.run_hash),
    ]
    blocks: list[Block] = [
        Heading(Message("methods.heading")),
        Facts(tuple((Message(f"methods.{key}"), value) for key, value in rows if value)),
    ]
    if manifest.inputs:
        blocks.append(
            Table(
                Message("methods.inputs"),
                (Column(Message("methods.file")), Column(Message("methods.sha"))),
                tuple((name, f"{digest[:16]}…") for name, digest in manifest.inputs.items()),
            )
        )
    return blocks
