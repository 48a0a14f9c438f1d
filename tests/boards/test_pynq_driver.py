"""The driver with a stand-in for PYNQ whose DMA computes something known from the bytes that it is sent."""

from __future__ import annotations

import importlib.util
import json
import sys
import types

import numpy as np
import pytest

from qmfn.boards.write import TEMPLATES, BoardDesign, boards, write_board_files
from qmfn.hls.types import FixedType
from qmfn.model.mobilefacenet import normalise

SIZE, EMBEDDING, OUTPUT = 4, 5, FixedType(12, 3)


def network(frame: np.ndarray) -> np.ndarray:
    """Integers that depend on every byte and its place, of both signs."""
    weights = np.arange(1, frame.size + 1)
    return np.array([int((frame.astype(int) - 128) @ np.roll(weights, k)) % 4096 - 2048 for k in range(EMBEDDING)])


class Buffer(np.ndarray):
    def freebuffer(self):
        self.freed = True


class Board:
    """Frames that were sent, and transfers that are under way; as strict as the DMA in simple mode."""

    def __init__(self):
        self.results, self.receiving, self.sending, self.registers = [], None, False, {}
        self.dma = types.SimpleNamespace(
            sendchannel=types.SimpleNamespace(transfer=self.send, wait=self.sent),
            recvchannel=types.SimpleNamespace(transfer=self.receive, wait=self.received),
        )
        self.network = types.SimpleNamespace(write=self.registers.__setitem__)

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
    """A function from the kind of control to (driver module, loaded network, board), for files in a project."""

    def load(control="none"):
        (tmp_path / "firmware").mkdir()
        design = BoardDesign(SIZE, EMBEDDING, OUTPUT, 5.0, "Vitis", control)
        write_board_files(tmp_path, boards()["kv260"], design)
        board = Board()
        pynq = types.ModuleType("pynq")
        pynq.Overlay = lambda path: board if path.endswith(".bit") else None
        pynq.allocate = lambda shape, dtype: np.zeros(shape, dtype).view(Buffer)
        monkeypatch.setitem(sys.modules, "pynq", pynq)
        spec = importlib.util.spec_from_file_location("pynq_driver", tmp_path / "pynq_driver.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module, module.QMobileFaceNet(tmp_path / "qmfn_board.bit"), board

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


def test_settings_come_with_the_bitstream_and_the_driver_needs_nothing_of_this_package(driver, tmp_path):
    driver()
    assert json.loads((tmp_path / "qmfn_board.json").read_text())["exponent"] == -9
    assert "qmfn" not in "".join(
        line for line in (TEMPLATES / "pynq_driver.py").read_text().splitlines() if line.startswith(("import", "from"))
    )
