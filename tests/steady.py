"""A test on the cluster that fails is run once more; what then passes is told loudly at the end."""

from __future__ import annotations

import pytest

_HANGS = r"Timeout \("
"""What pytest-timeout says: after it the test would be run again without any limit."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--rounds", default=1) > 1:
        return  # of what must not fail any time, no failure is forgiven
    for item in items:
        if item.get_closest_marker("cluster") is not None:
            item.add_marker(pytest.mark.flaky(reruns=1, rerun_except=[_HANGS]))


def attempt(item: pytest.Item) -> int:
    """Which run of this test it is, from 1 on."""
    return int(getattr(item, "execution_count", 1))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    stats = terminalreporter.stats
    failed = {report.nodeid for kind in ("failed", "error") for report in stats.get(kind, ())}
    unsteady = [report for report in stats.get("rerun", ()) if report.nodeid not in failed]
    if not unsteady:
        return
    terminalreporter.section("UNSTEADY: failed, then passed", sep="!", red=True, bold=True)
    for report in unsteady:
        terminalreporter.section(f"{report.nodeid} ({report.when})", sep="_", red=True)
        report.toterminal(terminalreporter._tw)
        for title, text in report.sections:
            terminalreporter.write_sep("-", title)
            terminalreporter.write_line(text)
    count = len({report.nodeid for report in unsteady})
    terminalreporter.section(
        f"{count} unsteady: a defect of the test or of kubekit; see CONTRIBUTING.md",
        sep="!",
        red=True,
        bold=True,
    )
