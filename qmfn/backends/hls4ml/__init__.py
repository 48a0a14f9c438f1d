"""The folded dataflow backend for hls4ml: `VitisFolded` and `VivadoFolded`.

    hls4ml.converters.convert_from_keras_model(model, backend="VitisFolded", io_type="io_stream", hls_config=...)

Found by hls4ml through its entry point group `hls4ml.backends`. A conversion ends in one hls4ml node per stage
(`stage_layer.FoldedStage`): `passes/fold.py` makes a plan of the network and replaces the layers, `cpp.py` writes a
stage's C++ from `templates/`, `writer.py` the project.
"""

import hls4ml  # noqa: F401 - it loads the backend by its entry point, before a module of this folder is half imported
