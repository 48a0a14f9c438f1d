"""Part numbers resolve to devices, whatever package and grade follow."""

import re

import pytest

from qmfn.devices.table import devices, find_device
from qmfn.errors import UserError
from qmfn.shared import shared_folder


@pytest.mark.parametrize(
    ("part", "device"),
    [
        ("xc7z020", "xc7z020"),
        ("xc7z020clg400-1", "xc7z020"),
        ("xc7z020-clg400-1", "xc7z020"),
        ("xczu3eg-sbva484-1-i", "xczu3eg"),
        ("xck26-sfvc784-2LV-c", "xck26"),
        ("xczu5ev-sfvc784-2LV-e", "xczu5ev"),
        ("xczu7ev-ffvc1156-2-e", "xczu7ev"),
        ("XCZU9EG-FFVB1156-2-E", "xczu9eg"),
        ("xcku040-ffva1156-2-e", "xcku040"),
        ("xcvu13p-flga2577-2-e", "xcvu13p"),
        ("xcu50-fsvh2104-2-e", "xcu50"),
        ("xcu250-figd2104-2L-e", "xcu250"),
    ],
)
def test_a_part_number_names_its_device(part, device):
    assert find_device(part).part == device


def test_an_unknown_part_is_an_error_that_names_near_ones():
    with pytest.raises(UserError, match=r"'xczu7eg-ffvc1156-2-e'.*xczu7ev"):
        find_device("xczu7eg-ffvc1156-2-e")


@pytest.mark.parametrize("part", ["", "xc7z020x", "xczu7", "xcu2500-figd2104-2L-e", "zcu104"])
def test_a_part_that_only_resembles_a_device_is_unknown(part):
    with pytest.raises(UserError):
        find_device(part)


def test_every_device_has_fabric_and_a_source():
    for device in devices().values():
        assert min(device.lut, device.ff, device.dsp, device.bram_18k, device.clock_mhz) > 0
        assert device.ff == 2 * device.lut
        assert device.source.startswith("DS")


def test_zcu104_is_as_in_its_data_sheet():
    device = find_device("xczu7ev-ffvc1156-2-e")
    assert (device.lut, device.dsp, device.bram_18k, device.uram) == (230_400, 1_728, 624, 96)


def test_the_reports_state_the_same_resources():
    reports = sorted(shared_folder().glob("synthesis/reports/*/*/solution1/syn/report/myproject_csynth.xml"))
    if not reports:
        pytest.skip(f"{shared_folder()}/synthesis/reports is absent; QMFN_SHARED names the folder of the shared data")
    for report in reports:
        text = report.read_text()
        device = find_device(re.search(r"<Part>(.*?)</Part>", text)[1])
        available = re.search(r"<AvailableResources>(.*?)</AvailableResources>", text, re.DOTALL)[1]
        stated = {name: int(count) for name, count in re.findall(r"<(\w+)>(\d+)</", available)}
        dsp = next(count for name, count in stated.items() if name.startswith("DSP"))
        assert (device.lut, device.ff, device.bram_18k, device.uram, device.dsp) == (
            stated["LUT"], stated["FF"], stated["BRAM_18K"], stated["URAM"], dsp,
        )  # fmt: skip


def test_every_part_of_the_reports_of_stock_layers_is_known(synthesis):
    parts = {row["part"] for row in synthesis("layers") if row["stock"] == "yes"}
    assert parts and all(find_device(part) for part in parts)


def test_devices_of_the_designs_are_confirmed_by_reports():
    for part in ("xc7z020", "xczu3eg", "xck26", "xczu5ev", "xczu7ev", "xczu9eg", "xcu250", "xcvu13p"):
        assert devices()[part].checked == "C-synthesis report"
