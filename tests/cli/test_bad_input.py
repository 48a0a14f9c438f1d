"""What a user can get wrong ends in one sentence, exit code 1, and the earlier result where it was."""

from __future__ import annotations

import re
import shlex

import pytest

CONVERT = "--config tiny.yml --until load --output {output}"
TRAIN = "--config trained.yml --set checkpoint={output}/run/new.npz --run {output}/run"
EVALUATE = "--config tiny.yml --faces faces --pairs pairs.csv"

# Command, what is wrong (added to a command line that works; a later option wins), the sentence it must end in.
BAD_INPUT = [
    # the design file
    ("convert", "--config none.yml", r"none\.yml: no such design file\."),
    ("convert", "--config faces", r"faces: can't be read as a design file \(Is a directory\)\."),
    ("convert", "--config empty.yml", r"empty\.yml: must be a mapping with the keys name, model, .*\."),
    ("convert", "--config twice.yml", r"twice\.yml: is not valid YAML \(the key 'hls' stands twice .* line 1, .*\)\."),
    ("convert", "--config list.yml", r"list\.yml: must be a mapping with the keys name, model, .*\."),
    ("convert", "--config broken.yml", r"broken\.yml: is not valid YAML \(.* line 3, .*\)\."),
    ("convert", "--config latin.yml", r"latin\.yml: can't be read as a design file \('utf-8' .*\)\."),
    ("convert", "--config nameless.yml", r"nameless\.yml: name: is missing\."),
    ("convert", "--config colour.yml", r"colour\.yml: hls\.colour: unknown key; allowed here: backend, dataflow, .*"),
    ("train", "--config none.yml", r"none\.yml: no such design file\."),
    ("evaluate", "--config none.yml", r"none\.yml: no such design file\."),
    # overrides
    ("convert", "--set hls.reuse_factor", r"--set hls\.reuse_factor: must read key\.sub=value, .*"),
    ("convert", "--set hls.reuse_factor=[1", r"--set .*: the value '\[1' is not valid YAML \(.*\)\."),
    ("convert", "--set name.first=tiny", r"--set .*: 'name' holds a value, not a group of keys\."),
    ("convert", "--set checkpoint=2024-13-45", r"--set .*: the value '2024-13-45' is not valid YAML\."),
    ("convert", "--set hls.reuse=4", r"tiny\.yml: hls\.reuse: unknown key; allowed here: .*, reuse_factor, .*"),
    ("convert", "--set hls.backend=Quartus", r"tiny\.yml: hls\.backend = 'Quartus': .* 'Vitis' or 'Vivado'\."),
    ("convert", "--set hls.reuse_factor=many", r"tiny\.yml: hls\.reuse_factor = 'many': .* integer, or .* 'auto'\."),
    ("convert", "--set quantisation.weight_bits=9", r".*: quantisation\.weight_bits = 9: .* less than or equal to 8\."),
    ("convert", "--set quantisation.weight_bits=1", r".*: quantisation\.weight_bits = 1: one bit has no zero, .*"),
    ("convert", "--set model.input_size=30", r".*input_size must be a multiple of 8, the product of the strides\."),
    ("convert", "--set name=../tiny", r"tiny\.yml: name = '../tiny': String should match pattern .*"),
    ("convert", "--set comparison.images=0", r"tiny\.yml: comparison\.images = 0: .* greater than or equal to 1\."),
    ("train", "--set training.held_out_identities=1", r".*held_out_identities = 1: .* greater than or equal to 2\."),
    # what the network has not
    (
        "convert",
        "--set quantisation.layers.bottelneck1_expand.weight_bits=4",
        r"tiny\.yml: quantisation\.layers\.bottelneck1_expand: no layer .* near ones: bottleneck1_expand, .*\.",
    ),
    (
        "convert",
        "--set hls.layers.bottleneck9_*.reuse_factor=4",
        r"tiny\.yml: hls\.layers\.bottleneck9_\*: no layer of this network has that name; near ones: .*\.",
    ),
    (
        "convert",
        "--set hls.part=xczu7ex-ffvc1156-2-e",
        r"tiny\.yml: hls\.part = xczu7ex-ffvc1156-2-e: .* nearest known: .*xczu7ev.*[^.]\.",
    ),
    (
        "convert",
        "--set hls.layers.conv1.reuse_factor=5",
        r"tiny\.yml: hls\.layers\.conv1\.reuse_factor = 5: does not divide the work of conv1; "
        r"valid: 1, 3, 9, 27, 54, 108, 216\.",
    ),
    (
        "convert",
        "--set hls.layers.bottleneck2_*.reuse_factor=5",
        r"tiny\.yml: hls\.layers\.bottleneck2_\*\.reuse_factor = 5: does not divide the work of bottleneck2_expand; "
        r"valid: 1, 2, 4, .*",
    ),
    (
        "convert",
        "--set hls.reuse_factor=64",
        r"tiny\.yml: hls\.reuse_factor = 64: does not divide the work of dwconv1; valid: 1, 2, 3, .*, 72\.",
    ),
    (
        "convert",
        "--set hls.layers.bottleneck2_add.reuse_factor=2",
        r"tiny\.yml: hls\.layers\.bottleneck2_add: a residual add has no such settings\.",
    ),
    (
        "convert",
        "--set hls.layers.*_add.reuse_factor=2",
        r"tiny\.yml: hls\.layers\.\*_add: a residual add has no such settings\.",
    ),
    (
        "convert",
        "--set 'hls.layers.conv2.precision={accum: \"fixed<4,2>\"}'",
        r"tiny\.yml: hls\.layers\.conv2\.precision\.accum = fixed<4,2>: is too narrow for conv2 to be exact; "
        r"it must hold fixed<.*",
    ),
    (
        "convert",
        "--set 'hls.layers.bottleneck2_add.precision={result: \"fixed<20,10>\"}'",
        r"tiny\.yml: hls\.layers\.bottleneck2_add: a residual add has no such settings\.",
    ),
    (
        "convert",
        "--set 'hls.layers.embedding.precision={slope: \"fixed<20,10>\"}'",
        r"tiny\.yml: hls\.layers\.embedding\.precision\.slope = fixed<20,10>: "
        r"embedding has no such type; it has output, weight, bias, .*\.",
    ),
    (
        "convert",
        "--set 'hls.layers.*.precision={slope: \"fixed<40,20>\"}'",
        r"tiny\.yml: hls\.layers\.\*\.precision\.slope = fixed<40,20>: bottleneck1_project has no such type; .*\.",
    ),
    (
        "convert",
        "--set 'hls.layers.embedding.precision={result: \"fixed<20,10>\"}'",
        r"tiny\.yml: .*precision\.result = fixed<20,10>: the output of embedding has the type that activation_bits .*",
    ),
    (
        "convert",
        "--set 'hls.layers.conv2.precision={accum: float}'",
        r"tiny\.yml: hls\.layers\.conv2\.precision = \{'accum': 'float'\}: accum must read fixed<W,I> \(1 to .*\)\.",
    ),
    (
        "convert",
        "--set 'hls.layers.conv2.precision={accum: \"fixed<129,64>\"}'",
        r"tiny\.yml: hls\.layers\.conv2\.precision = \{'accum': 'fixed<129,64>'\}: .* \(1 to 128 bits in total, .*\)\.",
    ),
    (
        "convert",
        "--set model.head_channels=16384 --set quantisation.weight_bits=8 --set quantisation.activation_bits=8",
        r"embedding: its sums can reach \d+ units, beyond the 16777216 that float32 counts exactly; lower .*\.",
    ),
    # checkpoints
    ("convert", "--set checkpoint=none.npz", r".*none\.npz: no such file\."),
    ("convert", "--set checkpoint=text.npz", r".*text\.npz: can't be read as an \.npz file \(.*\)\."),
    ("convert", "--set checkpoint=truncated.npz", r".*truncated\.npz: can't be read as an \.npz file \(.*\)\."),
    ("convert", "--set checkpoint=weights.npz", r".*weights\.npz: is not a qmfn checkpoint \(it has no header\)\."),
    ("convert", "--set checkpoint=faces", r".*faces: can't be read as an \.npz file \(.*directory.*\)\."),
    (
        "convert",
        "--config trained.yml --force --set quantisation.weight_bits=8",
        r"trained\.yml: conv1 has weight_bits = 8, but checkpoint .*tiny\.npz holds 4; train .* or ask for 4\.",
    ),
    (
        "convert",
        "--config trained.yml --force --set model.head_channels=32",
        r"trained\.yml: model\.head_channels = 32, but checkpoint .*tiny\.npz holds 16\.",
    ),
    # faces
    ("convert", "--until faces --faces none", r".*none does not exist; give a folder or a tar of images\."),
    ("convert", "--until faces --faces none.jpg", r".*none\.jpg does not exist\."),
    ("convert", "--until faces --faces no_faces", r".*no_faces holds no images \(.*\.png.*\)\."),
    ("convert", "--until faces --faces file.txt", r".*file\.txt is neither a folder nor a readable, .* tar \(.*\)\."),
    ("convert", "--until faces --faces text.png", r".*text\.png is not an image in a format that Pillow reads\."),
    ("convert", "--until faces --faces truncated.png", r".*truncated\.png is a truncated or damaged image \(.*\)\."),
    ("convert", "--until faces --faces damaged_faces", r"0\.png in .*damaged_faces is a truncated or damaged .*"),
    ("convert", "--until faces --faces grass.png", r"No face was found in grass\.png: remove that picture, .*\."),
    (
        "convert",
        "--until faces --set comparison.images=13",
        r".*faces gave 12 faces, but 13 were asked for\.",
    ),
    # places
    ("convert", "--output file.txt", r"file\.txt/tiny: can't be written \(File exists: file\.txt\)\."),
    ("convert", "--output places --set name=thesis --force", r"places/thesis: wasn't written by qmfn convert .*\."),
    ("convert", "--output places --set name=file", r"places/file: wasn't written by qmfn convert .*\."),
    ("convert", "--output places --set name=finished --force", r"places/finished: holds a finished project, .*\."),
    (
        "convert",
        "--config trained.yml",
        r".*/tiny: was written from .*/tiny\.yml, not from .*/trained\.yml; --force replaces it, .*\.",
    ),
    # training
    ("train", "--set checkpoint=null", r"trained\.yml: checkpoint: is missing; name the file that .*\."),
    ("train", "--set checkpoint=file.txt/a.npz", r".*file\.txt/a\.npz: can't be written \(.*\)\."),
    ("train", "--run file.txt/run", r"file\.txt/run: can't keep the training run \(Not a directory\)\."),
    ("train", "--set training.float_weights=none.npz", r".*none\.npz: no such file; set QMFN_SHARED to the folder .*"),
    ("train", "--set training.faces=[none.tar]", r".*none\.tar: no such file; set QMFN_SHARED to the folder .*"),
    ("train", "--set training.faces=[no_faces]", r".*no_faces holds no images \(.*\)\."),
    ("train", "--set model.input_size=48", r"person.*png: training faces must be aligned to 48x48 pixels, found .*\."),
    ("train", "--set model.stem_channels=12", r".*weights\.npz: conv1/kernel must be an array of shape .*, found .*\."),
    ("train", "--set training.float_weights=text.npz", r".*text\.npz: can't be read as an \.npz file \(.*\)\."),
    # evaluation
    ("evaluate", "--pairs none.csv", r"The pair list none\.csv does not exist\."),
    ("evaluate", "--pairs empty.yml", r"The pair list empty\.yml is empty\."),
    ("evaluate", "--pairs malformed.csv", r"malformed\.csv:1: expected 'path,path,same', found '.*'\."),
    ("evaluate", "--pairs file.txt", r"file\.txt:1: 'nothing' is no header of LFW pairs .*\."),
    ("evaluate", "--pairs few_pairs.csv", r"few_pairs\.csv has 2 same and 10 different pairs; 10 folds need .*\."),
    ("evaluate", "--pairs unknown_pairs.csv", r"\d of \d+ images are not in faces, first nobody/0\.png\."),
    ("evaluate", "--faces none", r"none does not exist; give a folder or a tar of images\."),
    (
        "evaluate",
        "--engine float --set training.float_weights=none.npz",
        r".*none\.npz: no such file; set QMFN_SHARED to the folder that holds none\.npz\.",
    ),
    (
        "train",
        "--set training.batch_size=99 --set training.steps=1",
        r"trained\.yml: training\.batch_size = 99: only \d+ faces are left to train on\.",
    ),
    (
        "train",
        "--set training.held_out_identities=4",
        r"trained\.yml: training\.held_out_identities = 4: leaves no face to train on\.",
    ),
]


SECONDS = ("model.head_channels=16384", "checkpoint=file.txt/a.npz")
"""In a command line that takes seconds until its error."""


def table():
    for command, wrong, sentence in BAD_INPUT:
        marks = [pytest.mark.slow] if any(text in wrong for text in SECONDS) else []
        yield pytest.param(command, wrong, sentence, id=f"{command} {wrong}", marks=marks)


@pytest.mark.parametrize(("command", "wrong", "sentence"), table())
def test_bad_input_ends_in_one_sentence_and_changes_nothing(call, earlier, snapshot, command, wrong, sentence):
    before = snapshot(earlier / "tiny")
    working = {"convert": CONVERT, "train": TRAIN, "evaluate": EVALUATE}[command].format(output=earlier)
    outcome = call(command, *shlex.split(working), *shlex.split(wrong))
    assert outcome.code == 1
    (line,) = outcome.last_errors
    assert re.fullmatch(f"error: {sentence}", line)
    assert snapshot(earlier / "tiny") == before
    assert [path.name for path in earlier.iterdir() if path.name != "run"] == ["tiny"]
    assert not (earlier / "run" / "new.npz").exists()


@pytest.mark.slow
@pytest.mark.parametrize(("command", "working"), [("convert", CONVERT), ("train", TRAIN)])
def test_the_command_lines_that_the_table_spoils_work(call, tmp_path, command, working):
    assert call(command, *shlex.split(working.format(output=tmp_path))).code == 0
