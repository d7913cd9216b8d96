"""Keep the records of EC2 instances: a run for each instance, over the settings in the function's environment."""

import json
import logging
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from ddns_updater.app.runner import Runner
from ddns_updater.aws_lambda.log import log_problem, log_warnings, say
from ddns_updater.errors import DdnsError, SettingsError
from ddns_updater.model import Outcome, RunResult
from ddns_updater.output.run import run_json, run_lines
from ddns_updater.run.news import News
from ddns_updater.settings.load import environment_text, parameter_reader, read_settings
from ddns_updater.settings.settings import Settings
from ddns_updater.sources.spec import Ec2Spec

log = logging.getLogger(__name__)

_INSTANCES = "DDNS_INSTANCES"  # of this function alone: elsewhere a process follows one line
_OF_ONE = ("DDNS_IP_SOURCES", "DDNS_RECORDS", "DDNS_NAME")
_FORM = 'write it like {"i-0123456789abcdef0": ["web.example.com", "www.example.com"]}'


def follow() -> dict[str, Any]:
    """Do the runs, one after another, and return the outcome of each origin; a failure of one does not stop another."""
    try:
        runners = _runners()
    except SettingsError as error:
        log_problem(error)
        return {"error": str(error)}
    return {"outcomes": {name: _run(runner) for name, runner in runners.items()}}


def _run(runner: Runner) -> str:
    try:
        report = runner.run()
        runner.show(report)
    except DdnsError as error:
        log_problem(error)
    except Exception:
        log.exception("a run failed")
    else:
        return report.result.outcome
    return Outcome.FAILED


@cache
def _runners() -> dict[str, Runner]:
    """Return the runner of each origin, by its name; they are kept with their clients until Lambda ends the process."""
    log_warnings()
    runners: dict[str, Runner] = {}
    read_parameter = parameter_reader({})
    for given in _settings_of_each():
        loaded = read_settings(given=given, read_parameter=read_parameter)
        settings = loaded.valid()
        name = settings.name or _instance_of(settings)
        remarks = [str(each) for each in loaded.warnings]
        runners[name] = Runner(
            settings, name=name, quiet=True, remarks=remarks, show=_show, stoppable=False, seeds=True
        )
    return runners


def _settings_of_each() -> Iterator[Mapping[str, str]]:
    """Yield the variables that each instance adds to the environment."""
    text = environment_text(_INSTANCES)
    if not text:
        yield {}
        return
    if both := [each for each in _OF_ONE if environment_text(each)]:
        raise SettingsError(f"{_INSTANCES} and {both[0]} are both set", f"remove {both[0]}")
    try:
        instances = json.loads(text)
    except ValueError:
        raise SettingsError(f"{_INSTANCES} is not JSON", _FORM) from None
    if not (isinstance(instances, dict) and instances and all(map(_is_texts, instances.values()))):
        raise SettingsError(f"{_INSTANCES} is not an object with the records of each instance", _FORM)
    for instance, records in instances.items():
        name = instance.partition("?")[0]  # the region may follow
        yield dict(zip(_OF_ONE, (f"ec2:{instance}", ",".join(records), name), strict=True))


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _instance_of(settings: Settings) -> str:
    """Return the ID of the only instance, which names the origin when nothing else does."""
    instances: list[str] = [each.instance for each in settings.ip_sources if isinstance(each, Ec2Spec)]
    if len(instances) != 1:
        raise SettingsError("the origin has no name", "set DDNS_NAME")
    return instances[0]


def _show(result: RunResult, news: News) -> None:
    """Log a run that changed something or failed, or that has something to tell."""
    if result.outcome.is_quiet and not (news.event or news.warnings):
        return
    facts = json.loads(run_json(result)) | {"warnings": news.warnings}
    say("error" if result.outcome.is_bad else "info", " | ".join(line for _, line in run_lines(result)), facts)
