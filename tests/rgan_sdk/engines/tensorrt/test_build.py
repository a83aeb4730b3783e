"""TensorRT parses and builds our graphs. TensorRT for RTX, which needs no GPU, stands in for it.

That a plan can be built says nothing of what it computes; that is tested where there is a GPU.
"""

import signal
import subprocess
import sys

import pytest
from onnx import TensorProto, helper
from support.models import make_domain_card, make_float16, make_model, write_model
from support.requirements import require_module

from rgan_sdk.engines.tensorrt import build as tensorrt_build
from rgan_sdk.engines.tensorrt.build import build_plan
from rgan_sdk.engines.tensorrt.profile import OptimizationProfile, make_profile
from rgan_sdk.engines.tensorrt.progress import Phases
from rgan_sdk.errors import EngineUnavailableError
from rgan_sdk.hu import HUWindow
from rgan_sdk.model import HarmonizationModel, packaged_models
from rgan_train.config import override_from_text, recommended_config
from rgan_train.export.onnx_graph import to_onnx
from rgan_train.methods import METHODS
from rgan_train.networks.graph import HarmonizationGraph

require_module("tensorrt_rtx", "make test")
import tensorrt_rtx as trt  # noqa: E402

# Timing caches do nothing in TensorRT for RTX, which says so.
pytestmark = pytest.mark.filterwarnings("ignore:.*Timing cache operations:DeprecationWarning")

SMALL = ("generator.encoder=none", "generator.widths=[4, 8]", "generator.stem_channels=4")
NETWORKS = {
    "radiomicgan": SMALL,
    "physics+gan": SMALL,
    "choe": ("choe.channels=4",),
    "compact": ("compact.channels=4",),
    "ganai": ("generator.widths=[4, 8]", "generator.output=direct"),
    "stan_ct": ("generator.widths=[4, 8]",),
    "linear": ("linear.kind=radial", "linear.taps=15"),
    "linear, 2d": ("linear.kind=2d", "linear.taps=15"),
    "histogram": ("histogram.segments=8",),
}
FAST = ("radiomicgan", "stan_ct", "linear, 2d")
"""The ones that ``make test`` builds: between them they have all operators."""


def graph_of(case):
    name = case.partition(",")[0]
    config = override_from_text(recommended_config(name), NETWORKS[case])
    return HarmonizationGraph(METHODS[name].build_network(config).eval(), HUWindow(-1032, 1008))


def operators(case):
    return {node.op_type for node in to_onnx(graph_of(case)).graph.node}


@pytest.mark.slow
def test_the_fast_ones_have_all_operators():
    assert set().union(*map(operators, FAST)) == set().union(*map(operators, NETWORKS))


def test_every_method_is_here():
    assert {case.partition(",")[0] for case in NETWORKS} == set(METHODS)


@pytest.mark.parametrize(
    "case",
    [case if case in FAST else pytest.param(case, marks=pytest.mark.slow) for case in NETWORKS],
)
def test_networks_of_every_method_are_built(case):
    graph = graph_of(case)
    profile = make_profile(graph.multiple)
    for converted in (to_onnx(graph), to_onnx(graph.use_float16())):
        assert build_plan(trt, converted.SerializeToString(), profile).plan


@pytest.mark.parametrize("name", packaged_models())
def test_packaged_models_are_built_with_progress(name):
    model = HarmonizationModel.open(name)
    reports = []
    built = build_plan(
        trt,
        model.content,
        make_profile(model.card.multiple),
        lambda phase, share: reports.append((phase, share)),
    )
    assert len(built.plan) > 100_000
    shares = [share for phase, share in reports if phase == reports[-1][0]]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert len(set(shares)) > 10


@pytest.mark.parametrize("make", [make_model, make_float16])
def test_computed_weights_are_built(make):
    content = make(make_domain_card()).SerializeToString()
    assert build_plan(trt, content, make_profile(4)).plan


def test_timings_are_kept_and_spoilt_ones_are_done_without():
    content = make_model().SerializeToString()
    timings = build_plan(trt, content, make_profile(4)).timings
    assert timings
    assert build_plan(trt, content, make_profile(4), timings=timings).plan
    assert build_plan(trt, content, make_profile(4), timings=b"no timings").plan


def test_tf32_is_off(monkeypatch):
    cleared = []
    clear = trt.IBuilderConfig.clear_flag

    def record(config, flag):
        cleared.append(flag)
        clear(config, flag)

    monkeypatch.setattr(trt.IBuilderConfig, "clear_flag", record)
    build_plan(trt, make_model().SerializeToString(), make_profile(4))
    assert cleared == [trt.BuilderFlag.TF32]


def test_an_operator_that_is_not_known_is_named():
    model = make_model()
    model.graph.node[1].op_type = "Unheard"
    model.graph.node[1].name = "middle"
    with pytest.raises(EngineUnavailableError, match=r"middle \(Unheard\).*--engine onnxruntime"):
        build_plan(trt, model.SerializeToString(), make_profile(4))


def test_what_is_no_onnx_file():
    with pytest.raises(EngineUnavailableError, match="cannot parse this model"):
        build_plan(trt, b"no model", make_profile(4))


def test_a_gpu_that_tensorrt_does_not_take():
    def refuse(logger):
        logger.log(trt.ILogger.Severity.ERROR, "CUDA initialization failure with error: 35")
        raise TypeError("pybind11::init(): factory function returned nullptr")

    with pytest.raises(EngineUnavailableError, match=r"error: 35\); update the driver"):
        tensorrt_build.create(refuse, tensorrt_build.make_logger(trt))


def test_a_profile_that_the_graph_does_not_allow():
    impossible = OptimizationProfile((1, 64, 64), (2, 32, 32), (4, 128, 128))
    with pytest.raises(EngineUnavailableError, match="profile"):
        build_plan(trt, make_model().SerializeToString(), impossible)


def test_a_graph_that_parses_but_cannot_be_built():
    """Its input would have one channel and three at the same time."""
    model = make_model()
    weights = helper.make_tensor("kernel", TensorProto.FLOAT, (1, 3, 3, 3), [0.0] * 27)
    for tensor in model.graph.initializer:
        if tensor.name == "kernel":
            tensor.CopyFrom(weights)
    with pytest.raises(EngineUnavailableError, match="--engine onnxruntime"):
        build_plan(trt, model.SerializeToString(), make_profile(4))


@pytest.mark.parametrize(
    ("errors", "message"),
    [
        (["Requested size was 8589934592 bytes."], "GPU has not enough memory"),
        (["CUDA error 2 ... (out of memory)", "Error Code 2: OutOfMemory"], "not enough memory"),
        (["Error Code 10: Could not find any implementation for node conv"], "cannot build"),
        ([], "no reason was given"),
    ],
)
def test_memory_that_does_not_suffice_is_told_apart(errors, message):
    assert message in tensorrt_build._build_failure(trt, errors)


def test_a_bar_that_breaks_ends_the_build():
    shares = []

    def break_down(phase, share):
        shares.append(share)
        raise ValueError("a bar that broke")

    with pytest.raises(ValueError, match="a bar that broke"):
        build_plan(trt, make_model().SerializeToString(), make_profile(4), break_down)
    assert max(shares) < 0.5


INTERRUPTED = """
import os, signal, sys
import tensorrt_rtx as trt
from rgan_sdk.engines.tensorrt.build import build_plan
from rgan_sdk.engines.tensorrt.profile import make_profile

number = int(sys.argv[2])
signal.signal(number, signal.default_int_handler)
shares = []

def interrupt(phase, share):
    shares.append(share)
    if len(shares) == 3:
        os.kill(os.getpid(), number)

try:
    build_plan(trt, open(sys.argv[1], "rb").read(), make_profile(4), interrupt)
except KeyboardInterrupt:
    assert signal.getsignal(number) is signal.default_int_handler
    print("interrupted at", max(shares))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupts_end_the_build(number, tmp_path):
    """`run` treats SIGTERM like Ctrl-C: both raise KeyboardInterrupt.

    The build runs in a process of its own, as it does for a user. In the process of the tests,
    with all that other tests load, the signal sometimes caused a segmentation fault.
    """
    model = write_model(tmp_path / "m.onnx")
    command = [sys.executable, "-c", INTERRUPTED, str(model), str(int(number))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.removeprefix("interrupted at")) < 0.5


@pytest.mark.parametrize(
    ("multiple", "size", "largest"),
    [
        (1, (512, 512), (8, 512, 512)),
        (16, (64, 300), (8, 512, 512)),
        (16, (768, 512), (5, 768, 512)),
        (16, (520, 520), (3, 768, 768)),
        (16, (1024, 1024), (2, 1024, 1024)),
        (16, (4096, 4096), (1, 4096, 4096)),
        (3, (512, 512), (7, 513, 513)),
    ],
)
def test_profiles(multiple, size, largest):
    profile = make_profile(multiple, *size)
    assert profile == OptimizationProfile((1, multiple, multiple), largest, largest)
    assert profile.covers(*(edge + -edge % multiple for edge in size))
    assert not profile.covers(largest[1] + multiple, largest[2])


def test_nested_phases_add_up():
    phases = Phases()
    seen = [
        phases.start("whole", None, 4),
        phases.step("whole", 0),
        phases.start("part", "whole", 2),
        phases.start("bit", "part", 2),
        phases.step("bit", 0),
        phases.finish("bit"),
        phases.step("part", 0),
        phases.finish("part"),
        phases.step("whole", 1),
        phases.finish("whole"),
    ]
    assert {name for name, _ in seen} == {"whole"}
    shares = [share for _, share in seen]
    assert shares == [0, 1 / 4, 1 / 4, 1 / 4, 5 / 16, 3 / 8, 3 / 8, 1 / 2, 1 / 2, 1]


def test_a_phase_of_which_nothing_is_known_starts_anew():
    phases = Phases()
    assert phases.start("part", "gone", 2) == ("part", 0)
    assert phases.step("part", 0) == ("part", 0.5)
