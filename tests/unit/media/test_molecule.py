"""Molecules that RDKit makes; what files make is told with the other media of one file."""

from __future__ import annotations

import subprocess
import sys

import pytest

from artstore.errors import InvalidInputError, StateError
from artstore.media.molecule import Molecule
from tests.unit.media.making import stored, written


def test_without_rdkit_it_is_said_what_is_missing(monkeypatch) -> None:
    for name in list(sys.modules):
        if name.partition(".")[0] == "rdkit":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "rdkit", None)
    for make, given in ((Molecule.from_smiles, "CCO"), (Molecule.from_rdkit, "a.mol")):
        with pytest.raises(StateError) as caught:
            make(given)
        assert caught.value.code == "library-missing"
        assert "pip install rdkit" in caught.value.hint


@pytest.fixture
def chem():
    return pytest.importorskip("rdkit.Chem")


def test_a_line_of_smiles_is_a_molecule_in_space(chem) -> None:
    molecule = Molecule.from_smiles("CCO", "ethanol")
    assert (molecule.format, molecule.caption) == ("pdb", "ethanol")
    read = chem.MolFromPDBBlock(molecule.read().decode(), removeHs=False)
    # C2 H6 O: hydrogens were added, and the atoms lie apart.
    assert read.GetNumAtoms() == 9
    places = read.GetConformer().GetPositions()
    assert len({tuple(place) for place in places}) == 9


def test_the_same_line_is_the_same_file_in_any_process(chem) -> None:
    here = Molecule.from_smiles("c1ccccc1O").digest.hex()
    program = (
        "from artstore.media.molecule import Molecule;"
        "print(Molecule.from_smiles('c1ccccc1O').digest.hex())"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == here
    assert result.stderr == ""


def test_atoms_stay_where_they_are_if_nothing_is_to_be_converted(chem) -> None:
    flat = Molecule.from_smiles("CCO", convert_to_3d_and_optimize=False)
    assert chem.MolFromPDBBlock(flat.read().decode(), removeHs=False).GetNumAtoms() == 3


def test_a_molecule_of_rdkit_and_its_file_are_taken_and_left_as_they_were(chem, tmp_path) -> None:
    given = chem.MolFromSmiles("CCO")
    molecule = Molecule.from_rdkit(given)
    assert given.GetNumAtoms() == 3
    assert molecule == Molecule.from_smiles("CCO")
    path = written(tmp_path / "a.mol", chem.MolToMolBlock(given).encode())
    assert Molecule.from_rdkit(path).format == "pdb"
    prepared = molecule.prepare()
    assert Molecule.from_cell(prepared.cell, stored(prepared.files)) == molecule


@pytest.mark.parametrize("line", ["C(C", "not a molecule", "[Xx]"])
def test_a_line_that_is_no_smiles_is_told_and_nothing_is_printed(chem, capfd, line) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Molecule.from_smiles(line)
    assert caught.value.code == "molecule-invalid"
    assert repr(line) in str(caught.value)
    assert capfd.readouterr().err == ""


def test_other_values_and_files_are_refused(chem, tmp_path) -> None:
    for make in (Molecule.from_smiles, Molecule.from_rdkit):
        with pytest.raises(InvalidInputError) as caught:
            make(5)
        assert caught.value.code == "media-input-unknown"
    with pytest.raises(InvalidInputError) as caught:
        Molecule.from_rdkit(written(tmp_path / "a.mol", b"\xff\x00 nothing"))
    assert caught.value.code == "molecule-invalid"
    with pytest.raises(InvalidInputError) as caught:
        Molecule.from_rdkit(tmp_path / "a.pdb")
    assert caught.value.code == "media-format-unknown"
