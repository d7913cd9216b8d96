"""Parse the texts of variables into values, and collect every problem instead of stopping at the first."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ddns_updater.errors import InvalidValue, ParameterError, SettingsError
from ddns_updater.lib.files import named_path, read_given
from ddns_updater.lib.trust import Distrusted, check_path
from ddns_updater.settings.values import InvalidItems, parameter_name
from ddns_updater.settings.variables import Setting


class Parser:
    """The values of the variables that are set, and the problems of those that cannot be used.

    `values` are by field; a list is among them without its invalid items. `given` are the settings with a value there,
    `bad` those with a problem. `parameters` are the names of the parameters that hold settings, by their variables.
    """

    def __init__(
        self, texts: Mapping[str, str], settings: Sequence[Setting], read_parameter: Callable[[str], str] | None
    ) -> None:
        """Parse those of `settings` that have a text; an empty one is a problem.

        `read_parameter` returns what a parameter holds, or raises ParameterError; None leaves such settings as they are
        without a text.
        """
        self._read_parameter = read_parameter
        self.parameters: dict[str, str] = {}
        self._texts = {variable: text.strip() for variable, text in texts.items()}
        self.problems: list[SettingsError] = []
        self.values: dict[str, Any] = {}
        self.given: set[str] = set()
        self.bad: set[str] = set()
        for setting in settings:
            for variable in setting.variables:
                if self._texts.get(variable) == "":
                    self._reject(setting, f"{variable} is empty", "set a value or remove it")
        for setting in settings:
            text, subject = self._secret_text(setting) if setting.is_secret else self._text(setting)
            if text:
                self._parse(setting, text, subject)

    def _parse(self, setting: Setting, text: str, subject: str) -> None:
        try:
            value = setting.parse(text)
        except InvalidItems as error:
            for item, why in error.invalid:
                self._reject(setting, f"{setting.variable}: {item} {why.problem}", why.advice)
            value = error.valid
            if not value:
                return
        except InvalidValue as error:
            self._reject(setting, f"{subject} {error.problem}", error.advice)
            return
        self.values[setting.field] = value
        self.given.add(setting.variable)

    def _text(self, setting: Setting) -> tuple[str, str]:
        """Return the text of a setting, and how a problem calls it."""
        text = self._texts.get(setting.variable, "")
        return text, f"{setting.variable}={text!r}"

    def _secret_text(self, setting: Setting) -> tuple[str, str]:
        """Return the text of a secret setting, from where it is set, and how a problem calls it."""
        variable, file_variable, parameter_variable = setting.variables
        given = [each for each in setting.variables if self._texts.get(each)]
        if len(given) > 1:
            self._reject(setting, f"{given[0]} and {given[1]} are both set", "keep one of them")
        if given[:1] == [file_variable]:
            return self._file_text(setting, file_variable)
        if given[:1] == [parameter_variable]:
            return self._parameter_text(setting, parameter_variable)
        text = self._texts.get(variable, "")
        try:
            text.encode()
        except UnicodeEncodeError:  # the environment may hold any bytes
            advice = "percent-encode special characters in UTF-8, as ä by %C3%A4"
            self._reject(setting, f"{variable} is not UTF-8 text", advice)
            return "", variable
        return text, variable

    def _parameter_text(self, setting: Setting, variable: str) -> tuple[str, str]:
        try:
            name = parameter_name(self._texts[variable])
        except InvalidValue as error:  # not shown, because it may be the secret
            self._reject(setting, f"{variable} {error.problem}", error.advice)
            return "", variable
        subject = f"{variable}={name!r}"
        self.parameters[setting.variable] = name
        self.given.add(setting.variable)
        if self._read_parameter is None:
            return "", subject
        try:
            return self._read_parameter(name), subject
        except ParameterError as error:
            self._reject(setting, f"{subject} {error.problem}", error.advice or error.then)
            return "", subject

    def _file_text(self, setting: Setting, variable: str) -> tuple[str, str]:
        text, file = "", self._texts[variable]
        if "://" in file:  # not shown, because it is a secret
            self._reject(
                setting, f"{variable} is a URL, not the path of a file", f"set {setting.variable} to it instead"
            )
            return "", variable
        subject = f"{variable}={file!r}"
        try:
            path = named_path(file)
            check_path(path, given=True)  # Docker gives a container the secret files of a user of the host
            text = read_given(path)
        except InvalidValue as error:
            self._reject(setting, f"{subject} {error.problem}", error.advice)
        except Distrusted as error:
            self._reject(setting, f"{subject} cannot be used: {error.problem}", error.advice)
        except (OSError, ValueError) as error:
            cause = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            self._reject(setting, f"{subject} cannot be read: {cause}", "name a file that holds the value")
        else:
            if not text:
                self._reject(setting, f"{subject} is an empty file", "put the value in it")
        return text, subject

    def _reject(self, setting: Setting, problem: str, advice: str | None) -> None:
        self.problems.append(SettingsError(problem, advice, settings=(setting.variable,)))
        self.bad.add(setting.variable)
