"""The commands, end to end on a phantom and in their refusals."""

import os
import signal
import subprocess
import sys

import pytest
from support.dicom_phantoms import uid
from support.training import (
    KERNELS,
    TINY,
    list_pairs,
    settings,
    train,
    write_pair_of_scans,
    write_scan,
)

from rgan_sdk.model import HarmonizationModel

DIRECTION = settings(base=["data.source_kernel=B40f", "data.target_kernel=B70f"])


def test_from_scans_to_a_model(scans, tmp_path):
    pairs, run, model = tmp_path / "pairs.csv", tmp_path / "run", tmp_path / "model.onnx"
    found = train("pair", scans, "-o", pairs)
    assert found.exit_code == 0
    assert "B40f / B70f" in found.output
    fitted = train("fit", pairs, "-o", run, *settings())
    assert fitted.exit_code == 0, fitted.output
    assert "epoch 2:" in fitted.output
    assert "best validation PSNR" in fitted.output
    exported = train("export", run, "-o", model)
    assert exported.exit_code == 0, exported.output
    assert "deviation from PyTorch max 0." in exported.output
    assert HarmonizationModel.open(model).card.target_kernel == "B70f"


def test_configuration_from_a_file_and_resume(pairs_csv, tmp_path):
    toml = tmp_path / "tiny.toml"
    tables: dict[str, list[str]] = {}
    for assignment in TINY:
        name, value = assignment.split("=")
        table, key = name.split(".")
        quoted = value if value[0] in "[0123456789" else f'"{value}"'
        tables.setdefault(table, []).append(f"{key} = {quoted}")
    toml.write_text(
        "".join(f"[{name}]\n" + "\n".join(keys) + "\n" for name, keys in tables.items())
    )
    run = tmp_path / "run"
    assert train("fit", pairs_csv, "-o", run, "--config", toml).exit_code == 0
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 3, "valid')  # as a power cut leaves it
    resumed = train("fit", pairs_csv, "-o", run, "--resume", "--set", "training.epochs=3")
    assert resumed.exit_code == 0, resumed.output
    assert "epoch 3:" in resumed.output
    assert "epoch 2:" not in resumed.output
    refused = train("fit", pairs_csv, "-o", run, "--resume", "--set", "training.seed=9")
    assert refused.exit_code == 1
    assert "another training.seed" in refused.stderr


def test_a_training_that_stops_inside_a_growing_window(pairs_csv, tmp_path):
    changes = ["curriculum.schedule=growing", "training.epochs=1", "data.name=", "data.licence="]
    fitted = train("fit", pairs_csv, "-o", tmp_path / "run", *settings(changes))
    assert fitted.exit_code == 0, fitted.output
    assert "note: the training stopped inside the growing window [-1024, -769] HU" in fitted.stderr
    exported = train("export", tmp_path / "run", "-o", tmp_path / "m.onnx", "--no-fp16")
    assert exported.exit_code == 0, exported.output
    warnings = [line for line in exported.stderr.splitlines() if line.startswith("warning: ")]
    assert len(warnings) == 2
    assert "give --data-name and --data-licence" in warnings[0]
    assert "stopped inside the growing window" in warnings[1]
    assert not (tmp_path / "m.fp16.onnx").exists()


def test_ctrl_c_saves_and_says_how_to_go_on(pairs_csv, tmp_path):
    code = "from rgan_train.cli import main; main()"
    process = subprocess.Popen(
        [
            *(sys.executable, "-c", code, "fit", str(pairs_csv), "-o", str(tmp_path / "run")),
            *settings(["training.epochs=100000"]),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    for line in process.stdout:
        if line.startswith("epoch 1:"):
            process.send_signal(signal.SIGINT)
            break
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "--resume" in errors
    assert list((tmp_path / "run" / "checkpoints").iterdir())


def test_help_imports_no_torch():
    code = (
        "import sys; from rgan_train.cli import main\n"
        "try: main(['--help'])\n"
        "finally: assert not {'torch', 'pydicom', 'onnx'} & set(sys.modules)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout
    assert all(
        command in shown
        for command in ("pair", "simulate", "fit", "export", "windows", "cam", "compare")
    )


@pytest.mark.parametrize(
    "command", ["pair", "simulate", "fit", "export", "windows", "cam", "compare"]
)
def test_each_command_has_help_with_an_example(command):
    shown = train(command, "--help")
    assert shown.exit_code == 0
    assert f"rgan-train {command}" in shown.output


@pytest.mark.parametrize(
    "arguments", [["pair"], ["fit", "nowhere.csv", "-o", "run"], ["fit"], ["no-such-command"]]
)
def test_usage(arguments):
    assert train(*arguments).exit_code == 2


def test_no_pairs(tmp_path):
    write_scan(tmp_path, "B40f", slices=2, size=16)
    write_scan(tmp_path, "B70f", series=2, slices=3, size=16)
    done = train("pair", tmp_path, "-o", tmp_path / "pairs.csv")
    assert done.exit_code == 1
    assert "different number of slices" in done.output
    assert "no pair among 2 CT series" in done.stderr
    assert not (tmp_path / "pairs.csv").exists()


def test_pair_lists_what_it_leaves_out(tmp_path):
    root = write_pair_of_scans(tmp_path, slices=2, size=16)
    write_scan(root / "x", "B50f", series=3, slices=2, size=16)
    write_scan(root / "y", "B60f", series=4, slices=2, size=16, RescaleSlope=0)
    damaged = root / "x" / "1-3-01.dcm"
    damaged.write_bytes(damaged.read_bytes()[:-100])
    (root / "z").mkdir()
    (root / "z" / "short.dcm").write_bytes(damaged.read_bytes()[:200])
    done = train("pair", root, "-o", tmp_path / "pairs.csv")
    assert done.exit_code == 0
    lines = [line for line in done.output.splitlines() if line.startswith("left out: ")]
    assert len(lines) == 3
    for words in ("x/1-3-01.dcm: truncated", "RescaleSlope", "a file of no known series"):
        assert any(words in line for line in lines)
    assert "1 found among 2 CT series" in done.output


def test_several_studies_with_one_patient_id(tmp_path):
    for number in (1, 2):
        for series, kernel in enumerate(KERNELS, start=1):
            own = {"number": number, "series": series, "slices": 10, "size": 16}
            write_scan(tmp_path / f"{number}-{kernel}", kernel, **own, PatientID="ANON")
    pairs = tmp_path / "pairs.csv"
    listed = train("pair", tmp_path, "-o", pairs)
    fitted = train("fit", pairs, "-o", tmp_path / "run", "--method", "histogram", *DIRECTION)
    for done in (listed, fitted):
        assert done.exit_code == 0, done.output
        assert "the 2 studies count as one patient" in done.output


@pytest.mark.parametrize("name", [b"M\xfcller", b" soft ", b'"a",\nb;'])
def test_folders_of_any_name(tmp_path, name):
    root = tmp_path / os.fsdecode(name)
    for series, kernel in enumerate(KERNELS, start=1):
        folder = root / os.fsdecode(name + b"%d" % series + name)
        write_scan(folder, kernel, series=series, slices=10, size=16)
    damaged = folder / os.fsdecode(name)
    damaged.write_bytes((folder / "1-2-00.dcm").read_bytes()[:300])
    pairs = root / "pairs.csv"
    listed = train("pair", root, "-o", pairs)
    assert "left out: a file of no known series failed" in listed.output
    fitted = train("fit", pairs, "-o", tmp_path / "run", "--method", "histogram", *DIRECTION)
    for done in (listed, fitted):
        assert done.exit_code == 0, done.output


def test_a_terminal_that_shows_few_characters(tmp_path):
    root = write_pair_of_scans(tmp_path / "Müller", slices=2, size=16)
    (root / "\ufffd.dcm").write_bytes((root / "1-B40f" / "1-1-00.dcm").read_bytes()[:300])
    code = "from rgan_train.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "pair", str(root), "-o", str(root / "pairs.csv")],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert done.returncode == 0, done.stderr
    assert r"M\xfcller" in done.stdout


def test_what_scans_say_is_shown_as_it_is(tmp_path):
    for series, kernel in enumerate(("[red]B40f", "B70f")):
        write_scan(tmp_path, kernel, series=series, slices=1, size=16, Manufacturer="[bold]Works")
    write_scan(tmp_path, "[/red]", series=3, slices=2, size=16)
    shown = train("pair", tmp_path, "-o", tmp_path / "\x1b[31mpairs.csv")
    assert shown.exit_code == 0, shown.output
    for text in ("[red]B40f / B70f", "[/red]", "[bold]Works"):
        assert text in shown.output
    assert "\x1b" not in shown.output


def test_bad_data_and_configuration_exit_with_1(tmp_path):
    write_pair_of_scans(tmp_path, slices=9, size=16)
    pairs = list_pairs(tmp_path)
    short = train("fit", pairs, "-o", tmp_path / "run", *settings())
    assert short.exit_code == 1
    assert "9 slices are too few" in short.stderr
    unknown = train("fit", pairs, "-o", tmp_path / "run", "--set", "training.epoch=1")
    assert unknown.exit_code == 1
    assert "valid are epochs" in unknown.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("command", ["fit", "export"])
def test_without_the_extra(pairs_csv, tmp_path, monkeypatch, command):
    monkeypatch.setattr("rgan_train.cli.extra.TRAINING", ("no_such_torch",))
    source = pairs_csv if command == "fit" else tmp_path
    done = train(command, source, "-o", tmp_path / "out.onnx")
    assert done.exit_code == 1
    assert "no_such_torch" in done.stderr
    assert "pip install 'rgan-sdk[train]'" in done.stderr


def test_no_patient_data_is_shown_or_written(scans, tmp_path):
    pairs, run = tmp_path / "pairs.csv", tmp_path / "run"
    shown = train("pair", scans, "-o", pairs).output
    shown += train("fit", pairs, "-o", run, *settings()).output
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for canary in ("CANARY", "patient 1"):
        assert canary not in shown
        assert canary.encode() not in written


def test_pair_says_what_differs_and_what_only_one_states(tmp_path):
    for series, kernel in enumerate(KERNELS, start=1):
        write_scan(tmp_path, kernel, series=series, slices=2, size=16, KVP=(None, 80)[series - 1])
        write_scan(tmp_path, kernel, series=series + 2, slices=2, size=16, SliceThickness=5)
    result = train("pair", tmp_path, "-o", tmp_path / "pairs.csv")
    assert result.exit_code == 0, result.output
    one, two = uid(1, 1, 1), uid(1, 1, 2)
    assert f"remark: only the series with B70f states KVP (series {one} and {two})" in result.output
    other = uid(1, 1, 3)
    expected = (
        f"not paired: series {two} (B70f) and {other} (B40f): "
        "different in slice 0: SliceThickness 2 and 5 mm; KVP 80 and 120 kV"
    )
    assert expected in result.output
