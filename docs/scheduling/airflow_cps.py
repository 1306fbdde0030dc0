"""Airflow: the monthly edition, then the same notebook for another outcome through papermill."""

from __future__ import annotations

import pendulum
from airflow.providers.papermill.operators.papermill import PapermillOperator
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

CPS = "/opt/cps"
LEDGERS = "/srv/ledgers"
REPORTS = "/srv/reports"
FURTHER = "/srv/further"  # what these tasks write; cps run keeps its own folder to itself
KERNEL = "cps-plain"  # cps's own Python: see docs/scheduling.md
INITIATIVES = ("bonsai", "flowers")

with DAG(
    dag_id="cps_monthly",
    schedule="30 2 3 * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Shanghai"),
    catchup=False,  # a run reads the ledgers as they are now: there is nothing to catch up
    max_active_runs=1,
    default_args={"retries": 0},  # cps tries again what is worth it; --resume does the rest
) as dag:
    edition = BashOperator(
        task_id="edition",
        bash_command=f"{CPS}/.venv/bin/cps run --data {LEDGERS} --out {REPORTS}",
        skip_on_exit_code=4,  # another run holds the folder
    )
    for initiative in INITIATIVES:
        edition >> PapermillOperator(
            task_id=f"jobs_{initiative}",
            input_nb=f"{CPS}/notebooks/initiative.ipynb",
            output_nb=f"{FURTHER}/{initiative}.ipynb",
            kernel_name=KERNEL,
            parameters={
                "initiative": initiative,
                "panel": f"{REPORTS}/latest/panel",
                "outcome": "jobs_persons",
                "seed": 0,
                "out": f"{FURTHER}/{initiative}",
            },
        )
