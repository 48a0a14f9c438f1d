"""The driver with a stand-in for PYNQ whose DMA computes something known from the bytes that it is sent."""

from __future__ import annotations

import importlib.util
import json
import sys
import types

import numpy as np
import pytest

from qmfn.backends.boards.write import TEMPLATES, BoardDesign, write_board_files
from qmfn.devices.boards import boards
from qmfn.network.fixed import FixedType
from qmfn.network.mobilefacenet import normalise

SIZE, EMBEDDING, OUTPUT = 4, 5, FixedType(12, 3)


def network(frame: np.ndarray) -> np.ndarray:
    """Integers that depend on every byte and its place, of both signs."""
    weights = np.arange(1, frame.size + 1)
    return np.array([int((frame.astype(int) - 128) @ np.roll(weights, k)) % 4096 - 2048 for k in range(EMBEDDING)])


class Buffer(np.ndarray):
    def freebuffer(self):
        self.freed = True


class Board:
    """Frames that were sent, and transfers that are under way; as strict as the DMA in simple mode.

    A channel method named in `failing` does its work and then raises, once: Ctrl-C between any two steps of the driver.
    """

    def __init__(self):
        self.results, self.receiving, self.sending, self.registers = [], None, False, {}
        self.failing: dict[str, BaseException] = {}
        self.steps_of_reset = 0
        self.dma = types.SimpleNamespace(
            sendchannel=types.SimpleNamespace(transfer=self.step(self.send), wait=self.step(self.sent)),
            recvchannel=types.SimpleNamespace(transfer=self.step(self.receive), wait=self.step(self.received)),
            write=self.write_dma, read=self.read_dma,
        )  # fmt: skip
        self.network = types.SimpleNamespace(write=self.registers.__setitem__)

    def step(self, method):
        def run(*arguments):
            method(*arguments)
            if method.__name__ in self.failing:
                raise self.failing.pop(method.__name__)

        return run

    def write_dma(self, offset, value):
        """Control register of the sending channel: its Reset bit stays set for a while, then no transfer is left."""
        assert (offset, value) == (0x00, 0x04)
        self.steps_of_reset = 3

    def read_dma(self, offset):
        assert offset == 0x00
        self.steps_of_reset -= 1
        if self.steps_of_reset:
            return 0x00010006
        self.receiving, self.sending = None, False
        return 0x00010002

    def send(self, buffer, start, nbytes):
        assert not self.sending and isinstance(buffer, Buffer) and buffer.dtype == np.uint8
        self.sending = True
        frames = np.frombuffer(buffer.tobytes()[start : start + nbytes], np.uint8).reshape(-1, SIZE * SIZE * 3)
        self.results += [network(frame) for frame in frames]

    def sent(self):
        assert self.sending and not self.results, "the DMA waits as long as somebody has to take results"
        self.sending = False

    def receive(self, buffer):
        assert self.receiving is None and buffer.dtype == np.int32 and buffer.shape == (EMBEDDING,)
        self.receiving = buffer

    def received(self):
        self.receiving[:] = self.results.pop(0)
        self.receiving = None


@pytest.fixture
def driver(tmp_path, monkeypatch):
    """A function from the kind of control to (driver module, loaded network, board), for files in a project.

    A bitstream that is loaded again is a new board without frames: `board` then has it as `reloaded`.
    """

    def load(control="none"):
        (tmp_path / "firmware").mkdir()
        design = BoardDesign(SIZE, EMBEDDING, OUTPUT, 5.0, "Vitis", control)
        write_board_files(tmp_path, boards()["kv260"], design)
        loaded: list[Board] = []

        def overlay(path):
            assert path.endswith(".bit")
            assert not loaded or loaded[-1].receiving is None and not loaded[-1].sending, "the DMA is still running"
            loaded.append(Board())
            if len(loaded) > 1:
                loaded[-2].reloaded = loaded[-1]
            return loaded[-1]

        pynq = types.ModuleType("pynq")
        pynq.Overlay = overlay
        pynq.allocate = lambda shape, dtype: np.zeros(shape, dtype).view(Buffer)
        monkeypatch.setitem(sys.modules, "pynq", pynq)
        spec = importlib.util.spec_from_file_location("pynq_driver", tmp_path / "pynq_driver.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module, module.QMobileFaceNet(tmp_path / "qmfn_board.bit"), loaded[0]

    return load


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (37, SIZE, SIZE, 3), np.uint8)


def test_embeddings_are_the_networks_integers_in_steps(driver, pixels):
    _, loaded, board = driver()
    embeddings = loaded.predict(pixels)
    expected = np.array([network(frame.ravel()) for frame in pixels]) / 2.0**9
    assert embeddings.dtype == np.float64
    np.testing.assert_array_equal(embeddings, expected)
    assert not board.registers and not board.sending and board.receiving is None


def test_floats_as_for_the_c_simulation_give_the_same(driver, pixels):
    module, loaded, _ = driver()
    np.testing.assert_array_equal(loaded.predict(normalise(pixels)), loaded.predict(pixels))
    np.testing.assert_array_equal(module.normalise(pixels), normalise(pixels))
    np.testing.assert_array_equal(module.as_pixels(normalise(np.arange(256, dtype=np.uint8))), np.arange(256))


@pytest.mark.parametrize("value", [1 / 256, 1.0, -1.01, np.nan])
def test_floats_off_the_grid_are_an_error(driver, value):
    _, loaded, _ = driver()
    with pytest.raises(ValueError, match="multiples of 1/128"):
        loaded.predict(np.full((1, SIZE, SIZE, 3), value))


def test_other_sizes_are_an_error(driver):
    _, loaded, _ = driver()
    with pytest.raises(ValueError, match=r"the design takes \(N, 4, 4, 3\)"):
        loaded.predict(np.zeros((1, SIZE, SIZE + 1, 3), np.uint8))


def test_a_design_with_registers_is_started_once(driver, pixels):
    _, loaded, board = driver("axi_lite")
    assert board.registers == {0: 0x81}
    loaded.predict(pixels[:2])
    assert board.registers == {0: 0x81}


STEPS = ("receive", "send", "received", "sent")


@pytest.fixture(params=[KeyboardInterrupt(), RuntimeError("DMA Internal Error")], ids=["Ctrl-C", "DMA error"])
def interrupted(request, driver, pixels):
    """A function from a step to (network, board), with a `predict` of 20 faces that something ended after that step."""

    def stop(step, control="none"):
        _, loaded, board = driver(control)
        loaded.predict(pixels[:3])
        board.failing[step] = request.param
        with pytest.raises(type(request.param)):
            loaded.predict(pixels[:20])
        return loaded, board

    return stop


@pytest.mark.parametrize("step", STEPS)
def test_after_an_interrupt_no_embedding_is_given_until_a_reset(interrupted, pixels, step):
    """The frames of the interrupted call are still in the network: their embeddings would come first."""
    loaded, board = interrupted(step)
    for _ in range(3):
        with pytest.raises(RuntimeError, match=r"interrupted.*call reset\(\), which loads the bitstream again"):
            loaded.predict(pixels[20:])
    loaded.reset()
    expected = np.array([network(frame.ravel()) for frame in pixels[20:]]) / 2.0**9
    np.testing.assert_array_equal(loaded.predict(pixels[20:]), expected)
    assert board.reloaded.receiving is None and not board.reloaded.sending


def test_a_reset_starts_a_design_with_registers_again(interrupted):
    loaded, board = interrupted("received", control="axi_lite")
    loaded.reset()
    assert board.reloaded.registers == {0: 0x81}


def test_a_reset_that_is_interrupted_can_be_asked_for_again(interrupted, pixels, monkeypatch):
    loaded, board = interrupted("received")
    overlay = sys.modules["pynq"].Overlay
    monkeypatch.setattr(sys.modules["pynq"], "Overlay", raises(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        loaded.reset()
    monkeypatch.setattr(sys.modules["pynq"], "Overlay", overlay)
    board.dma.write = raises(AssertionError("registers of a bitstream that is half loaded hang the processor"))
    with pytest.raises(RuntimeError, match="interrupted"):
        loaded.predict(pixels[:1])
    loaded.reset()
    assert loaded.predict(pixels[:2]).shape == (2, EMBEDDING)


def raises(error):
    def fail(*_):
        raise error

    return fail


def test_a_dma_that_does_not_stop_is_an_error_and_its_buffers_are_kept(interrupted, monkeypatch):
    loaded, board = interrupted("received")
    monkeypatch.setitem(loaded.reset.__func__.__globals__, "SECONDS_TO_STOP", 0.01)
    board.dma.read = lambda offset: 0x00010006
    for call in (loaded.reset, loaded.close):
        with pytest.raises(RuntimeError, match="the DMA doesn't stop; restart the board"):
            call()
    assert not hasattr(loaded._pixels, "freed") and not hasattr(loaded._words, "freed")


@pytest.mark.parametrize("step", STEPS)
def test_closing_after_an_interrupt_stops_the_dma_before_the_buffers_are_freed(interrupted, step):
    loaded, board = interrupted(step)
    loaded.close()
    assert board.receiving is None and not board.sending
    assert loaded._pixels.freed and loaded._words.freed


def test_closing_and_resetting_touch_no_dma_that_is_idle(driver, pixels):
    _, loaded, board = driver()
    board.dma.write = raises(AssertionError("nothing is to be stopped"))
    expected = loaded.predict(pixels)
    loaded.reset()
    np.testing.assert_array_equal(loaded.predict(pixels), expected)
    loaded.close()
    assert loaded._pixels.freed and loaded._words.freed


def test_settings_come_with_the_bitstream_and_the_driver_needs_nothing_of_this_package(driver, tmp_path):
    driver()
    assert json.loads((tmp_path / "qmfn_board.json").read_text())["exponent"] == -9
    assert "qmfn" not in "".join(
        line for line in (TEMPLATES / "pynq_driver.py").read_text().splitlines() if line.startswith(("import", "from"))
    )
