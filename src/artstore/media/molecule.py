"""Molecules: files in the formats that chemists exchange, kept as they are."""

from __future__ import annotations

import os
from typing import Any, ClassVar, Final, Self

from artstore import forks
from artstore.errors import InvalidInputError, StateError
from artstore.media.filemedia import FileMedia, ending_in, source_of_bytes, source_of_path
from artstore.media.values import text_or_none, unknown_input

__all__ = ["Molecule"]

_ENDINGS: Final = ("cif", "gro", "mcif", "mmcif", "mmtf", "mol2", "pdb", "pqr", "sd", "sdf")
_RDKIT_ENDINGS: Final = ("mol", "sdf")
_SEED: Final = 1
"""Where atoms begin when they are placed: the same molecule is the same file."""


class Molecule(FileMedia):
    """
    A molecule.

    Args:
        data_or_path: a file, a URL (kept as a reference), or an open file.
        caption: text shown with it.
        file_type: the format, if no name says it: `pdb`, `sdf`, ...
    Raises:
        InvalidInputError: `media-format-unknown`, `media-input-unknown`,
            `media-file-missing`, `media-file-unreadable`.
    """

    __slots__ = ()

    type_name: ClassVar[str] = "molecule-file"
    folder: ClassVar[str] = "molecules"

    def __init__(
        self, data_or_path: Any, caption: object = None, file_type: str | None = None
    ) -> None:
        kind = text_or_none(file_type, "a file type")
        if isinstance(data_or_path, (str, os.PathLike)):
            source = source_of_path(data_or_path, _ENDINGS, "a molecule", kind)
        elif hasattr(data_or_path, "read"):
            name = kind or getattr(data_or_path, "name", None)
            if not isinstance(name, str):
                raise InvalidInputError(
                    "a molecule cannot be made from a stream without a name",
                    code="media-format-unknown",
                    hint="say what it is with file_type='pdb'",
                )
            data = data_or_path.read()
            data = data.encode("utf-8") if isinstance(data, str) else data
            source = source_of_bytes(data, ending_in(name, _ENDINGS, "a molecule"))
        else:
            raise unknown_input("a molecule", data_or_path, "a path, a URL or an open file")
        self._take(source, caption)

    @classmethod
    def from_rdkit(
        cls,
        data_or_path: Any,
        caption: object = None,
        convert_to_3d_and_optimize: bool = True,  # noqa: FBT001, FBT002 - scripts know the order
        mmff_optimize_molecule_max_iterations: int = 200,
    ) -> Self:
        """
        A molecule of RDKit, written as PDB.

        Args:
            data_or_path: an `rdkit.Chem.Mol`, or a `.mol` or `.sdf` file, of which the
                first molecule is taken.
            convert_to_3d_and_optimize: add hydrogens and place the atoms in space, from
                a fixed start: with one release of RDKit it is the same file each time.
            mmff_optimize_molecule_max_iterations: how long the places are improved.
        Raises:
            StateError: `library-missing` without RDKit.
            InvalidInputError: `molecule-invalid`, `media-input-unknown`,
                `media-format-unknown`, `media-file-missing`.
        """
        chem = _rdkit()
        if isinstance(data_or_path, (str, os.PathLike)):
            source = source_of_path(data_or_path, _RDKIT_ENDINGS, "a molecule of RDKit")
            molecule = _called(
                chem.MolFromMolBlock, source.content.read().decode("utf-8", "replace")
            )
        elif isinstance(data_or_path, chem.Mol):
            molecule = data_or_path
        else:
            raise unknown_input("a molecule of RDKit", data_or_path, "an rdkit.Chem.Mol or a path")
        if convert_to_3d_and_optimize:
            molecule = _placed(molecule, mmff_optimize_molecule_max_iterations)
        return cls._of_block(_called(chem.MolToPDBBlock, molecule), caption)

    @classmethod
    def from_smiles(
        cls,
        data: str,
        caption: object = None,
        sanitize: bool = True,  # noqa: FBT001, FBT002 - scripts know the order
        convert_to_3d_and_optimize: bool = True,  # noqa: FBT001, FBT002 - likewise
        mmff_optimize_molecule_max_iterations: int = 200,
    ) -> Self:
        """
        A molecule told by a line of SMILES; the rest as `from_rdkit`.

        Raises:
            StateError: `library-missing` without RDKit.
            InvalidInputError: `molecule-invalid`, naming the line.
        """
        chem = _rdkit()
        if not isinstance(data, str):
            raise unknown_input("a molecule", data, "a line of SMILES")
        return cls.from_rdkit(
            _called(chem.MolFromSmiles, data, sanitize=bool(sanitize), what=repr(data)),
            caption,
            convert_to_3d_and_optimize,
            mmff_optimize_molecule_max_iterations,
        )

    @classmethod
    def _of_block(cls, block: str, caption: object) -> Self:
        value = cls.__new__(cls)
        value._take(source_of_bytes(block.encode("utf-8"), "pdb"), caption)  # noqa: SLF001 - own
        return value


def _rdkit() -> Any:
    try:
        forks.import_late(("rdkit.Chem.AllChem",))
        from rdkit.Chem import AllChem
    except ImportError as error:
        raise StateError(
            f"a molecule is read from SMILES and from RDKit by RDKit, which is not there: {error}",
            code="library-missing",
            hint="pip install rdkit; or write the molecule as a file and give its path",
            library="rdkit",
        ) from error
    return AllChem


def _placed(molecule: Any, iterations: int) -> Any:
    """The molecule with its hydrogens, each atom at its place in space."""
    chem = _rdkit()
    whole = _called(chem.AddHs, molecule)
    if _called(chem.EmbedMolecule, whole, randomSeed=_SEED) != 0:
        raise _invalid("no place in space was found for its atoms")
    # What it does not know it leaves where it is, and more steps only improve.
    _called(chem.MMFFOptimizeMolecule, whole, maxIters=iterations)
    return whole


def _called(function: Any, *arguments: Any, what: str = "it", **options: Any) -> Any:
    """What a function of RDKit returns, which tells of failure by None or by nearly any error."""
    from rdkit import rdBase

    # It would write on the error stream what the error says.
    with rdBase.BlockLogs():
        try:
            result = function(*arguments, **options)
        except Exception as error:
            raise _invalid(f"RDKit does not take {what}: {error}") from error
    if result is None:
        raise _invalid(f"RDKit does not take {what}")
    return result


def _invalid(why: str) -> InvalidInputError:
    return InvalidInputError(
        f"a molecule cannot be made: {why}",
        code="molecule-invalid",
        hint="look at it with RDKit; convert_to_3d_and_optimize=False moves no atom",
    )
