"""
Every error that crosses the public API, its exit status and its code.

The class says what a handler does about it; the code says what happened and
never changes its meaning once released. `CODES` only grows.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

__all__ = [
    "CODES",
    "INTERRUPTED",
    "AlreadyExistsError",
    "ArtstoreError",
    "ConflictError",
    "DamagedDataError",
    "DeniedError",
    "InvalidInputError",
    "LimitExceededError",
    "NotFoundError",
    "StateError",
    "StorageError",
    "UnavailableError",
    "UnsupportedFormatError",
]

INTERRUPTED: Final = 130
"""The exit status of a process that Ctrl-C ended, as shells have it."""

CODES: dict[str, str] = {
    # L0: names and canonical values
    "name-invalid": "A project, artifact, alias, tag or version is not written as names are.",
    "path-invalid": "The path of an entry is not one that can be stored or restored.",
    "key-invalid": "A storage key breaks the rules that every backend shares.",
    "value-invalid": "A value cannot be written as canonical JSON, or stored JSON is not.",
    "limit-exceeded": "A hard limit of the format was passed.",
    # L1: storage
    "key-not-found": "No value is stored under this key.",
    "key-exists": "A value is stored under this key and is never replaced.",
    "range-missing": "A stored value is shorter than the range that was asked for.",
    "span-invalid": "A range has a negative length.",
    "storage-denied": "The storage refuses: permissions, or it is read-only.",
    "storage-full": "The storage has no room: disk, quota or a limit on file sizes.",
    "storage-unavailable": "The storage does not answer now.",
    "storage-failed": "The storage failed in a way that a retry must not hide.",
    "storage-unsuitable": "The place cannot keep what a store needs, such as create-only names.",
    "storage-scheme": "This release cannot open URLs of that scheme.",
    "storage-url-invalid": "The URL or path of a store cannot be used as it is written.",
    "storage-experimental": "URLs of that scheme are opened only when asked to, as an experiment.",
    "bucket-not-found": "There is no bucket of that name at that endpoint.",
    "credentials-missing": "No credentials for a bucket were found, or a profile is not there.",
    # L2, L3: chunks and packs
    "chunk-damaged": "The bytes of a chunk are not those its digest names.",
    "codec-unknown": "A chunk is stored in a way that this release does not know.",
    "pack-damaged": "A pack's header, footer or length is not what was written.",
    "manifest-damaged": "A manifest root, segment or chunk list is not what was written.",
    "entry-kind-unknown": "A manifest or log holds an entry that only a newer release understands.",
    "format-unsupported": "A format version that this release does not read.",
    "manifest-missing": "The manifest root of a version is not in the store.",
    "path-refused": "A version names a path that would leave the directory it is restored to.",
    "entry-not-found": "A version has no entry at that path.",
    "store-not-found": "There is no store at that place.",
    "store-exists": "A store of another kind than the one asked for is there already.",
    "store-damaged": "The file that makes a place a store is not what was written.",
    "reference-invalid": "A reference is not a URL, or not one that is read.",
    "reference-refused": "A reference leads to a place that a pull reads only when told to.",
    "references-too-many": "More files lie below a URL than were allowed to be added.",
    "reference-unreadable": "What a reference points at cannot be read.",
    "reference-changed": "What a reference points at is not what it was.",
    "content-damaged": "The chunks of a file do not make up the file.",
    "target-not-empty": "A directory that is not empty was not made by a pull.",
    "entry-not-file": "The entry has no bytes of its own.",
    "link-elsewhere": "A link is to a file of another store.",
    "nothing-to-push": "A push would make a version without entries.",
    "path-twice": "A path is added twice, or as a file and as a directory.",
    "source-changed": "A source file was written to while it was read, twice.",
    "index-damaged": "A segment of the index is not what was written; it is advisory.",
    "rollup-damaged": "A rollup of a log is not what was written; it is advisory.",
    "pack-missing": "A pack that a version needs is not in the store.",
    "moved-damaged": "What tells where chunks of a repacked pack lie is not what was written.",
    "key-unexpected": "A key lies where keys of that form do not belong.",
    # L5: catalog
    "project-not-found": "The store has no project of that name.",
    "collection-not-found": "The store has no collection of that name.",
    "version-not-found": "The collection has no such version, or it was deleted.",
    "alias-not-found": "No live version of the collection has that alias.",
    "digest-ambiguous": "The start of a digest fits more than one version.",
    "type-mismatch": "An artifact's type is not that of its collection.",
    "version-aliased": "A version with aliases is deleted only by force.",
    "version-pinned": "A version that is pinned is deleted only by force.",
    "version-in-use": "A version that a running run uses is deleted only by force.",
    "version-not-deleted": "Only a version that was deleted can be purged.",
    "alias-protected": "A protected alias stays where it is, and its version with it.",
    "pin-not-found": "Nobody of that name has pinned the version.",
    "version-deleted": "The version was deleted; its number is never used again.",
    "version-purged": "The version was deleted for good and cannot be restored.",
    "collection-redirected": "A renamed collection points at another renamed one, or at nothing.",
    "draft-not-open": "The draft was published, abandoned or never opened.",
    "log-entry-damaged": "An entry of a log is not what was written, and it may matter.",
    "log-hole": "Entries of a log are missing: it can be read, but not written.",
    "log-void-entry": "An entry of a log is not one: its number is used, it has no effect.",
    "log-rolled-back": "A log lacks entries that this machine has seen.",
    "version-superseded": "Another version came before one that was to add to the newest.",
    "commit-contended": "Others were first at every number of a log that was tried.",
    "commit-unknown": "The storage did not answer whether an entry was written.",
    "content-condemned": "Content that a version needs is about to be swept.",
    "content-swept": "A reader needs what gc deleted after its version was deleted.",
    "content-vanished": "Content that a version relies on is gone from the store.",
    "gc-refused": "Something cannot be read or is not known: gc deletes nothing.",
    "plan-unreadable": "A plan of gc that a push must be checked against cannot be read.",
    # L8: drafts and versions
    "artifact-not-logged": "A draft has no version yet, and only a version has what was asked for.",
    "artifact-finalized": "What an artifact holds cannot be changed any more.",
    "artifact-not-linked": "A version is no link, and cannot be unlinked.",
    "entry-exists": "An artifact has another file at that path, which is not to be replaced.",
    "entry-not-reference": "The entry is no reference, and leads nowhere.",
    "entry-not-single": "An artifact has not just one file.",
    # L8, L9: settings and the command line
    "settings-invalid": "A settings file or variable cannot be read or sets what it may not.",
    "settings-exist": "This directory has an artstore.toml that names another store.",
    "duration-invalid": "A length of time is not written like 30d, 12h or 2026-12-31.",
    "size-invalid": "A size is not written like 500MB or 10GiB.",
    "usage-invalid": "A command line cannot be understood as it is written.",
    "source-missing": "A file or directory to push does not exist.",
    "gate-failed": "A condition of --fail-if is true of what was found.",
    "prune-incomplete": "Some artifacts could not be pruned; the others were.",
    "damage-found": "A check ran to its end and found stored or checked-out bytes damaged.",
    "unexpected": "An error that artstore does not know: a bug.",
    # L7: source trees, checkouts and the content cache
    "source-vanished": "A file or directory to be read is not, or no longer, there.",
    "source-unreadable": "A file or directory to be read cannot be opened or listed.",
    "ignore-invalid": "A pattern of an .artignore file or a glob cannot be understood.",
    "path-collision": "Two paths become one on a disk that folds case or Unicode forms.",
    "target-full": "The disk that a checkout is written to has no room left.",
    "target-denied": "The place that a checkout is written to refuses writes.",
    "target-occupied": "A directory that is not empty stands where a file must be.",
    "target-failed": "The place that a checkout is written to failed.",
    "cache-full": "The disk of the local cache has no room left.",
    "cache-denied": "The local cache cannot be written.",
    "cache-evicted": "A file of the local cache made room for another one meanwhile.",
    "content-digest-mismatch": "Bytes for the local cache are not those of their digest.",
    "link-unsupported": "Files cannot be linked from the local cache to this place.",
    "space-short": "There is not enough room for what is about to be written.",
    # L5: media
    "media-input-unknown": "A media value cannot be made from a value of that type.",
    "media-file-missing": "There is no file at the path that a media value is to be made from.",
    "media-file-unreadable": "The file that a media value is to be made from cannot be read.",
    "media-file-changed": "A file is not what it was when a media value was made from it.",
    "media-format-unknown": "Media of that format or file ending is not taken.",
    "media-kind-unknown": "No kind of media has that name.",
    "media-cell-damaged": "The record of a media value is not one that was written.",
    "media-not-here": "The bytes of a media value lie elsewhere and are not read here.",
    "image-damaged": "An image is cut short, or its bytes are not what its format says.",
    "image-too-large": "An image has more pixels, or a longer side, than is taken.",
    "image-shape-invalid": "An array has axes or channels that no image has.",
    "image-empty": "An array that an image is to be made from has no pixels.",
    "image-pixels-invalid": "Pixels are NaN, infinite or not numbers.",
    "image-mode-invalid": "The mode of an image is not known, or does not fit pixels or format.",
    "classes-invalid": "A class set names an id twice, or has an entry without id or name.",
    "class-unlabelled": "A box or mask has a class id that its class labels do not name.",
    "box-invalid": "A box lacks a field, or a field holds what no box has.",
    "box-outside": "A box reaches out of its image, or of the fractions from 0 to 1.",
    "mask-invalid": "A mask is not made of whole numbers from 0 to 255 in rows and columns.",
    "mask-shape": "A mask has another width or height than its image.",
    "audio-invalid": "Samples or their rate are not those of a sound.",
    "video-invalid": "Frames or their rate are not those of a video.",
    "points-invalid": "A point cloud is not rows of 3, 4 or 6 finite numbers.",
    "histogram-invalid": "Counts and bins do not make a histogram.",
    "figure-invalid": "A figure is not one that can be written as JSON.",
    "molecule-invalid": "RDKit does not take a molecule, or finds no place for its atoms.",
    "library-missing": "A library that only this call needs is not installed.",
    # L6: tables
    "columns-invalid": "Names of columns are empty, there twice, or not texts.",
    "row-ragged": "A row or column has another number of cells than the table needs.",
    "rows-unknown": "A table cannot be made from a value of that type.",
    "cell-unsupported": "No column holds a value of that type.",
    "column-type-unsupported": "No column holds what an Arrow or pandas type holds.",
    "cast-failed": "Cells cannot be brought to the type that was asked for.",
    "class-unknown": "A column of classes has an id that its class set does not name.",
    "table-incremental": "A table that only grows by rows gets no new columns.",
    "table-damaged": "The description of a table is not what was written.",
    "fragment-damaged": "A Parquet file of a table cannot be read, or has other columns.",
    "fragment-missing": "A Parquet file that a table needs is not in the store.",
    "fragment-digest-mismatch": "The bytes of a Parquet file of a table are not those of its name.",
    "join-key-unknown": "Tables are joined by a column that one of them has not.",
    "join-key-type": "The columns that tables are joined by are of types that are never equal.",
    "joined-table-damaged": "The description of a joined or partitioned table cannot be read.",
    "query-failed": "A query met a value it cannot take: a cast fails, a number is too large.",
    "query-cancelled": "A query was stopped by whoever asked for it.",
    "query-too-large": "A query needs more memory than it may take here.",
    "query-too-long": "A query took longer than it may here.",
    "sql-invalid": "A statement is no single SELECT over tables of a store.",
    # L6: filters and computed columns of tables
    "expression-invalid": "The text of a filter or computed column cannot be read.",
    "expression-type-invalid": "An operation of an expression does not take values of that kind.",
    "column-unknown": "A table has no column, or a value no field, of that name.",
    "column-ambiguous": "Several tables have a column of that name.",
    # L8: tables in artifacts
    "table-name-invalid": "A name does not say which table of which version is meant.",
    "table-not-found": "A version has no table of that name.",
    "value-unknown": "An artifact does not hold values of that type.",
    # L9: files of others
    "wandb-file-damaged": "A file of W&B is cut short, or does not hold what its name says.",
    "wandb-file-missing": "A directory, or a file that W&B's files name, is not there.",
    "wandb-path-refused": "A file of W&B names a path out of its directory, or what is no file.",
    "wandb-cell-damaged": "A row or cell of a table of W&B is not of the type of its column.",
    "wandb-digest-mismatch": "A file of W&B has another digest than its record or manifest says.",
    "wandb-manifest-partial": "A manifest of W&B lists only what is new, and has no digest.",
    "wandb-directory-mixed": "A directory holds artifacts of W&B and other things beside them.",
    "exchange-format-unknown": "Tables are not imported from, or exported to, that format.",
    "exchange-file-damaged": "A file to import is cut short, or does not hold what its name says.",
    "exchange-file-missing": "A file to import, or one that it names, is not there.",
    "exchange-path-refused": "A file to import names a path out of its directory, or a link.",
    "exchange-column-unsupported": "A format cannot hold a column of a table, or needs one.",
    "export-target-exists": "Something stands where a table is to be written.",
    "export-too-large": "Rows are more than one HTML file holds.",
    # L9: the page
    "page-not-found": "There is no page at that address.",
    "request-invalid": "What a request brings is no form and no JSON object.",
    "request-too-large": "A request brings more than the page takes.",
    "method-refused": "An address takes no requests of that method.",
    "address-refused": "A server was called by a name that is not its own.",
    "address-in-use": "A server cannot listen at an address: it is taken, or not of this machine.",
    "token-refused": "A server asks for a token, and it was not given.",
    "origin-refused": "A change was asked for by something else than a page of the server.",
    "watchers-too-many": "More visitors watch the runs of a server than it lets.",
    "writing-refused": "A server that only reads was asked to change something.",
    "view-not-found": "A view that an address names is not kept by the server, or not saved.",
    "view-invalid": "What is to be saved as a view is no address of a page, or has no title.",
    "view-damaged": "A saved view is not what was written, or leads elsewhere than to a page.",
    "content-changed": "A path does not hold the bytes of the digest that was asked for.",
    "content-elsewhere": "An entry has no bytes here that a page could send.",
    "frame-refused": "A file is not one that is shown in a frame of its own.",
    "preview-damaged": "A file is not what its name says, or is cut short: it is not previewed.",
    "preview-too-large": "A preview of a file would have to read more than one may.",
    # Runs
    "run-not-found": "There is no run of that id in the project.",
    "journal-damaged": "The journal of a run on this machine is not what was written.",
    "journal-in-use": "The journal of a run is written by another process, or closed.",
    "history-damaged": "A segment of a run's history is not what was written.",
    "run-media-damaged": "A file that a step of a run logged is not what its name says.",
    "run-console-damaged": "What a run has printed is not what was written.",
    "metric-invalid": "A metric is defined with a name, summary or goal that there is not.",
    "config-invalid": "A config is made from what has no names, or holds what no config does.",
    "config-value-changed": "A value of a config was to become another, without saying so.",
    "config-key-unknown": "A config has no value of that name.",
    "summary-key-unknown": "The summary of a run has no value of that name.",
    "run-exists": "There is a run of that id, and it is not to be gone on with.",
    "run-active": "Another process of this machine is writing that run.",
    "run-finished": "The run has ended, and takes nothing more.",
    "run-not-active": "No run is going on in this process.",
    "run-ambiguous": "Several runs have that name, or ids that begin so.",
    "sync-same-store": "A store is to be synced to itself.",
    "sync-incomplete": "Something could not be brought from one store to another.",
    "replica-unusable": "What this machine remembers of a store cannot be kept, even in memory.",
}


_OF_WANDB = frozenset(
    ["AuthenticationError", "CommError", "Error", "UsageError", "WaitTimeoutError"]
)


def __getattr__(name: str) -> Any:
    # Scripts that import artstore in place of wandb catch `wandb.errors.CommError`.
    if name in _OF_WANDB:
        return ArtstoreError
    raise AttributeError(f"module 'artstore.errors' has no attribute {name!r}")


class ArtstoreError(Exception):
    """
    Base of all errors of this package.

    Args:
        message: what was being done, to what, and why it failed.
        code: a stable name out of `CODES`.
        hint: what to do next, one sentence or command; printed on its own line.
        context: values for programs (key, offset_bytes, expected, found, ...).
    """

    exit_status: ClassVar[int] = 1
    http_status: ClassVar[int] = 500

    def __init__(self, message: str, *, code: str, hint: str | None = None, **context: Any) -> None:
        assert code in CODES, f"error code {code!r} is not registered in errors.CODES"
        super().__init__(message)
        self.message = message
        self.code = code
        self.hint = hint
        self.context = context

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions travel between processes (DataLoader workers); the
        # default reduction would lose the keyword-only arguments.
        return (_rebuild, (type(self), self.message, self.code, self.hint, self.context))


def _rebuild(
    kind: type[ArtstoreError], message: str, code: str, hint: str | None, context: dict[str, Any]
) -> ArtstoreError:
    return kind(message, code=code, hint=hint, **context)


class NotFoundError(ArtstoreError, LookupError):
    """The store, project, artifact, version, entry or key does not exist."""

    exit_status = 4
    http_status = 404


class AlreadyExistsError(ArtstoreError):
    """Something of that name is there already and is never overwritten."""

    exit_status = 5
    http_status = 409


class ConflictError(ArtstoreError):
    """Someone else was first: read again, then retry."""

    exit_status = 6
    http_status = 409


class InvalidInputError(ArtstoreError, ValueError):
    """The caller's input cannot be used as it is."""

    exit_status = 2
    http_status = 400


class LimitExceededError(InvalidInputError):
    """A limit was passed; the message names the limit and the value given."""

    http_status = 413


class StateError(ArtstoreError):
    """The call does not fit the state of the thing it is made on."""

    exit_status = 7
    http_status = 409


class DamagedDataError(ArtstoreError):
    """Stored bytes are not what was written: key, offset, expected and found are told."""

    exit_status = 8


class UnsupportedFormatError(ArtstoreError):
    """Written by a newer release: nothing is guessed."""

    exit_status = 9
    http_status = 501


class StorageError(ArtstoreError):
    """The place where bytes lie failed."""

    exit_status = 10
    http_status = 502


class UnavailableError(StorageError):
    """The storage does not answer now; a retry may help."""


class DeniedError(StorageError):
    """The storage refuses: permissions, read-only, quota or a full disk."""
