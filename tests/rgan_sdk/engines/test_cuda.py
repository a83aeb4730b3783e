"""CUDA on this machine, and what follows from the answers of other drivers."""

import sys
from types import SimpleNamespace

import pytest
from support.requirements import require_module

from rgan_sdk.engines import cuda
from rgan_sdk.errors import DeviceMemoryError, EngineUnavailableError, InferenceError

require_module("cuda", "make test")
from cuda.bindings import runtime  # noqa: E402

STATUS = runtime.cudaError_t
SUCCESS = STATUS.cudaSuccess
NAMES = (b"NVIDIA H100 80GB HBM3", b"NVIDIA L4")


@pytest.fixture
def machine(monkeypatch):
    """Make CUDA answer as on a machine with a given driver and number of devices."""

    def pretend(driver=13050, count=2, status=SUCCESS):
        answers = {
            "cudaDriverGetVersion": lambda: (SUCCESS, driver),
            "cudaRuntimeGetVersion": lambda: (SUCCESS, 13050),
            "cudaGetDeviceCount": lambda: (status, count),
            "cudaGetDeviceProperties": lambda index: (
                SUCCESS,
                SimpleNamespace(
                    name=NAMES[index],
                    major=9 - index,
                    minor=9 * index,
                    multiProcessorCount=132,
                    totalGlobalMem=80 << 30,
                ),
            ),
        }
        for name, answer in answers.items():
            monkeypatch.setattr(runtime, name, answer)

    return pretend


def test_two_devices(machine):
    machine()
    assert cuda.why_no_device() == ""
    assert cuda.devices() == [
        cuda.Device(0, "NVIDIA H100 80GB HBM3", "9.0", 132, 80 << 30),
        cuda.Device(1, "NVIDIA L4", "8.9", 132, 80 << 30),
    ]
    assert [cuda.find_device(name).index for name in ("cuda", "cuda:0", "cuda:1")] == [0, 0, 1]


def test_a_driver_of_an_earlier_minor_version_will_do(machine):
    machine(driver=13000)
    assert cuda.driver_version() == (13, 0)
    assert cuda.why_no_device() == ""


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"driver": 0}, "no NVIDIA driver is installed"),
        ({"driver": 12090}, r"supports CUDA 12\.9, but CUDA 13 is needed; update the driver"),
        ({"status": STATUS.cudaErrorNoDevice, "count": None}, "check CUDA_VISIBLE_DEVICES"),
        ({"count": 0}, "check CUDA_VISIBLE_DEVICES"),
        (
            {"status": STATUS.cudaErrorSystemDriverMismatch, "count": None},
            r"does not work here: .*\(cudaErrorSystemDriverMismatch\); check `nvidia-smi`",
        ),
    ],
)
def test_why_there_is_no_device(machine, answers, message):
    machine(**answers)
    assert cuda.devices() == []
    with pytest.raises(EngineUnavailableError, match=message):
        cuda.find_device("cuda")


@pytest.mark.parametrize("name", ["cpu", "cuda:", "cuda:-1", "cuda:x", "cuda:00000", "gpu", ""])
def test_what_is_no_device(machine, name):
    machine()
    with pytest.raises(EngineUnavailableError, match="it is cuda or cuda:N"):
        cuda.find_device(name)


def test_a_device_that_is_not_there_names_those_that_are(machine):
    machine()
    with pytest.raises(EngineUnavailableError, match=r"cuda:1 \(NVIDIA L4\)"):
        cuda.find_device("cuda:2")


@pytest.mark.parametrize(("driver", "reason"), [(True, "pip install"), (False, "no NVIDIA driver")])
def test_without_the_bindings(monkeypatch, driver, reason):
    """A user without an NVIDIA driver is not advised to install packages for it."""
    monkeypatch.setattr(cuda, "_finds_driver", lambda: driver)
    monkeypatch.setitem(sys.modules, "cuda.bindings", None)
    assert reason in cuda.why_no_device()
    assert cuda.devices() == []


def test_bindings_that_cannot_be_imported_are_a_reason(monkeypatch):
    """Importing them may want a folder for temporary files, which a container may not have."""

    class Refusing:
        def find_spec(self, name, path=None, target=None):
            if name == "cuda.bindings":
                raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(cuda, "_finds_driver", lambda: True)
    for name in [name for name in sys.modules if name.startswith("cuda.bindings")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Refusing(), *sys.meta_path])
    assert cuda.why_no_device() == (
        "cuda-bindings cannot be imported: No usable temporary directory found"
    )


def test_statuses_become_errors():
    assert cuda.check((SUCCESS,)) == ()
    assert cuda.check((SUCCESS, 7)) == 7
    assert cuda.check((SUCCESS, 7, 8)) == (7, 8)
    with pytest.raises(DeviceMemoryError, match="smaller batch size"):
        cuda.check((STATUS.cudaErrorMemoryAllocation, None))
    with pytest.raises(InferenceError, match="cudaErrorIllegalAddress"):
        cuda.check((STATUS.cudaErrorIllegalAddress,))


@pytest.mark.gpu
def test_the_first_device():
    if why := cuda.why_no_device():
        pytest.skip(f"gpu: {why}")
    first = cuda.devices()[0]
    assert 0 < cuda.free_memory(0) <= first.total_memory
    assert first.multiprocessors > 0
