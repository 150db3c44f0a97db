"""
What one run of the command line knows: the shared options, the settings, the store.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from artstore.api import Store
    from artstore.cli.output import Output
    from artstore.cli.progress import ProgressBar
    from artstore.names import ArtifactName
    from artstore.settings import Settings
    from artstore.transfer.contentcache import ContentCache

__all__ = ["Session"]


@dataclass(slots=True)
class Session:
    """
    The state of one run; commands get it as their first argument.

    Args:
        arguments: the command line without the program's name, for corrections.
    """

    arguments: tuple[str, ...] = ()
    store: str | None = None
    project: str | None = None
    as_json: bool = False
    quiet: bool = False
    verbose: bool = False
    debug: bool = False
    jobs: int | None = None
    limit_rate: int | None = None
    wanted: list[ArtifactName] = field(default_factory=list)
    """The artifacts that this run was asked for; a "not found" is explained with them."""
    _settings: Settings | None = field(default=None, repr=False)
    _output: Output | None = field(default=None, repr=False)

    @property
    def wants_json(self) -> bool:
        """Whether `--json` was written, also when parsing stopped before it was reached."""
        options = self.arguments
        if "--" in options:
            options = options[: options.index("--")]
        return self.as_json or "--json" in options

    @property
    def settings(self) -> Settings:
        """Settings for this run; `InvalidInputError` as in `artstore.settings.resolve`."""
        if self._settings is None:
            from artstore.settings import resolve

            self._settings = resolve(self.store, self.project, given_as=("--store", "--project"))
            for warning in self._settings.warnings:
                self.output.warn(warning)
            self.output.detail(f"store    {self._settings.url} ({self._settings.url_origin})")
            self.output.detail(
                f"project  {self._settings.project} ({self._settings.project_origin})"
            )
        return self._settings

    @property
    def output(self) -> Output:
        """Where results and notes go."""
        if self._output is None:
            from artstore.cli.output import Output

            self._output = Output(as_json=self.as_json, quiet=self.quiet, verbose=self.verbose)
        return self._output

    def name(self, text: str) -> ArtifactName:
        """Parse `[project/]name[:version]`, and remember what was asked for."""
        from artstore.names import parse_artifact_name

        parsed = parse_artifact_name(text)
        self.wanted.append(parsed)
        return parsed

    def short_name(self, project: str, name: str, version: str | None = None) -> str:
        """What to write to get at it again: the project only where it is not the one here."""
        plain = name if project == self.settings.project else f"{project}/{name}"
        return plain if version is None else f"{plain}:{version}"

    def open_store(self, *, project: str | None = None) -> Store:
        """
        Open the store of the settings; nothing is written before the first push.

        Args:
            project: where to push to, if the name carries one, such as `vision/ds`; else the
                settings' project. What is read says its project itself.
        """
        from artstore.api import open_store

        return open_store(
            self.settings.url,
            project=project or self.settings.project,
            jobs=self.jobs,
            limit_rate=self.limit_rate,
        )

    def open_cache(self) -> ContentCache:
        """The cache of whole files that linking pulls keep."""
        from artstore.transfer.contentcache import ContentCache

        return ContentCache(self.settings.cache_dir, self.settings.cache_max_bytes)

    def progress(self) -> ProgressBar:
        """A progress bar on stderr, or a silent one when piped, quiet or in JSON."""
        from artstore.cli.progress import ProgressBar

        return ProgressBar(hidden=self.quiet or self.as_json)

    def corrected(self, *extra: str, replace: tuple[str, str | None] | None = None) -> str:
        """
        The command line as it was written, with `extra` where options end.

        Args:
            replace: a word of the command line (its last one), and what stands for it; None
                leaves it out.
        """
        words = ["art", *self.arguments]
        if replace is not None:
            at = len(words) - 1 - words[::-1].index(replace[0])
            words[at : at + 1] = [] if replace[1] is None else [replace[1]]
        place = words.index("--") if "--" in words else len(words)
        words[place:place] = extra
        return shlex.join(words)
