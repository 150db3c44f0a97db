"""
Other tools that keep versions of directories, run on the same workloads when they are installed.

None is required and none is installed by us. Each is used as its
documentation says, with local storage, without encryption where that can be
chosen, and with its default compression.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from benchmarks.measure import Command
from benchmarks.tools import Tool, first_line

__all__ = ["PEERS", "BorgTool", "DvcTool", "GitLfsTool", "ResticTool"]


class ResticTool(Tool):
    """restic: encrypts always; `restore` learnt to delete extra files in 0.17 only."""

    name = "restic"

    def __init__(self, room: Path) -> None:
        super().__init__(room)
        # A snapshot of `tree` is restored as `tree` below the target.
        self.checkout = room / "restored" / "tree"

    @classmethod
    def version(cls) -> str:
        return first_line(["restic", "version"])

    def environment(self) -> dict[str, str]:
        return super().environment() | {
            "RESTIC_PASSWORD": "bench",
            "RESTIC_REPOSITORY": str(self.store),
        }

    def prepare(self) -> None:
        super().prepare()
        self.do("restic", "-q", "init")

    def push(self) -> Command:
        return self.command("restic", "-q", "backup", "tree")

    def pull(self) -> Command:
        words = ["restic", "-q", "restore", "latest", "--target", str(self.checkout.parent)]
        return self.command(*words, *(["--delete"] if self._can_delete() else []))

    @classmethod
    def _can_delete(cls) -> bool:
        version = cls.version().split()[1].split(".")
        return (int(version[0]), int(version[1])) >= (0, 17)


class BorgTool(Tool):
    """BorgBackup: `extract` writes over what is there and deletes nothing."""

    name = "borg"

    def __init__(self, room: Path) -> None:
        super().__init__(room)
        self.checkout = room / "extracted" / "tree"
        self._pushed = 0

    def environment(self) -> dict[str, str]:
        own = {
            "BORG_BASE_DIR": str(self.private / "home"),
            "BORG_REPO": str(self.store),
            "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
        }
        return super().environment() | own

    def prepare(self) -> None:
        super().prepare()
        self.do("borg", "init", "--encryption", "none")

    def push(self) -> Command:
        self._pushed += 1
        return self.command("borg", "create", f"::v{self._pushed}", "tree")

    def before_pull(self) -> None:
        self.checkout.parent.mkdir(exist_ok=True)

    def pull(self) -> Command:
        return self.command("borg", "extract", f"::v{self._pushed}", cwd=self.checkout.parent)


class GitLfsTool(Tool):
    """
    git with Git LFS for every file, and a bare repository on the same disk as remote.

    The repositories lie beside the work trees (`GIT_DIR`), so that trees hold
    nothing but their files.
    """

    name = "git-lfs"
    ATTRIBUTES = "* filter=lfs diff=lfs merge=lfs -text\n"

    @classmethod
    def is_installed(cls) -> bool:
        return shutil.which("git") is not None and shutil.which("git-lfs") is not None

    def private_places(self) -> list[Path]:
        return [self.private, self.room / "push.git", self.room / "pull.git"]

    def prepare(self) -> None:
        super().prepare()
        self.do("git", "config", "--global", "user.name", "bench")
        self.do("git", "config", "--global", "user.email", "bench@example.org")
        self.do("git", "config", "--global", "gc.auto", "0")
        self.do("git", "lfs", "install", "--skip-repo")
        self.do("git", "init", "-q", "--bare", "-b", "main", self.store)
        for side in ("push.git", "pull.git"):
            repository = self.room / side
            self.do("git", "init", "-q", "--bare", "-b", "main", repository)
            self.do("git", "-C", repository, "config", "core.bare", "false")
            self.do("git", "-C", repository, "remote", "add", "origin", f"file://{self.store}")
            (repository / "info").mkdir(exist_ok=True)
            (repository / "info" / "attributes").write_text(self.ATTRIBUTES)
        for side, work_tree in (("push.git", self.tree), ("pull.git", self.checkout)):
            work_tree.mkdir()
            self._set_up_hooks(side, work_tree)
            work_tree.rmdir()

    def _set_up_hooks(self, side: str, work_tree: Path) -> None:
        setup = self._git(side, work_tree, "git lfs install --local")
        subprocess.run(
            setup.argv, cwd=setup.cwd, env=setup.env, check=True, stdout=subprocess.DEVNULL
        )

    def _git(self, side: str, work_tree: Path, script: str) -> Command:
        return self.command(
            "sh",
            "-ec",
            script,
            cwd=work_tree,
            GIT_DIR=str(self.room / side),
            GIT_WORK_TREE=str(work_tree),
        )

    def push(self) -> Command:
        # `git commit` fails where nothing changed; any other failure must end the run.
        script = (
            "git add -A; git commit -qm data || git diff --cached --quiet; git push -q origin main"
        )
        return self._git("push.git", self.tree, script)

    def before_pull(self) -> None:
        self.checkout.mkdir(exist_ok=True)

    def pull(self) -> Command:
        script = "git fetch -q origin main && git checkout -q -f --detach FETCH_HEAD"
        return self._git("pull.git", self.checkout, script)


class DvcTool(Tool):
    """
    DVC without git, with a directory on the same disk as remote.

    The pull side is another workspace with a cache of its own.
    """

    name = "dvc"

    def __init__(self, room: Path) -> None:
        super().__init__(room)
        self.other = room / "other"
        self.checkout = self.other / "tree"

    def private_places(self) -> list[Path]:
        return [self.private, self.room / ".dvc", self.other / ".dvc"]

    def prepare(self) -> None:
        super().prepare()
        self.other.mkdir()
        for workspace in (self.room, self.other):
            self.do("dvc", "init", "-q", "--no-scm", cwd=workspace)
            self.do("dvc", "config", "-q", "core.analytics", "false", cwd=workspace)
            self.add_remote(workspace)

    def add_remote(self, workspace: Path) -> None:
        self.do("dvc", "remote", "add", "-q", "-d", "store", self.store, cwd=workspace)

    def push(self) -> Command:
        return self.command("sh", "-ec", "dvc add -q tree && dvc push -q")

    def before_pull(self) -> None:
        # git would have brought it.
        shutil.copyfile(self.room / "tree.dvc", self.other / "tree.dvc")

    def pull(self) -> Command:
        return self.command("dvc", "pull", "-q", "--force", cwd=self.other)


PEERS: tuple[type[Tool], ...] = (ResticTool, BorgTool, GitLfsTool, DvcTool)
