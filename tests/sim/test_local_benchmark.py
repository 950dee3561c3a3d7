"""``hebb bench local`` runs, its forms are the same layer, and it says what it cannot measure."""

import json

import pytest

torch = pytest.importorskip("torch")

from benchmarks import local, local_forms  # noqa: E402
from sim.cli import main  # noqa: E402

FLAGS = ["--layers", "2x4:3x16", "--batch-sizes", "3", "--rounds", "2", "--threads", "1"]


def test_the_benchmark_measures_every_form_and_its_memory(tmp_path):
    out = tmp_path / "figures.json"
    nets = ["--nets", "Conv 16 3x3; Maxpool 3; Output"]
    assert main(["bench", "local", *FLAGS, *nets, "--forms", *local_forms.FORMS, "--json", str(out)]) == 0
    figures = json.loads(out.read_text())
    forms = figures["layers"][0]["forms"]
    assert set(forms) == {*local_forms.FORMS, "tied, memory as installed"}
    assert all(one[way] > 0 for one in forms.values() for way in local.WAYS)
    assert forms["untied"]["over_untied"]["median"] == 1
    assert set(figures["nets"][0]["forms"]) == {"tied", "untied"}
    table = local.text(figures)
    assert "2x4:3x16, batches of 3" in table and "Conv 16 3x3" in table


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support:UserWarning")
def test_all_untied_forms_are_the_same_layer():
    one, count = local_forms.layer("2x4:3x16"), 5
    found = [
        [way() for way in make(one, count)] for make in (local_forms.untied, local_forms.unfold, local_forms.sparse)
    ]
    for form in found[1:]:
        for way, expected in ((0, found[0][0].permute(1, 2, 3, 0)), (2, found[0][2].permute(1, 2, 3, 0))):
            got = form[way] if form is found[2] else form[way].movedim(0, -1)
            assert torch.allclose(got.reshape(expected.shape), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("flags", "what"),
    [
        (["--layers", "3x32"], "no layer"),
        (["--layers", "3x32:4x32"], "odd kernel"),
        (["--layers", "3x32:5x20"], "multiple of 16"),
        (["--rounds", "0"], "expected 1 or more"),
    ],
)
def test_what_cannot_be_measured_is_said_in_a_line(flags, what, capsys):
    try:
        code = main(["bench", "local", *flags])
    except SystemExit as exit:  # of the parser
        code = exit.code
    error = capsys.readouterr().err
    assert code == 2 and what in error
