"""The folded dataflow as plain data: stages, the streams between them, their exact schedules.

Knows neither hls4ml nor TensorFlow, so that a search can ask thousands of times. The stages are those that the backend
plugin (`qmfn.hls.folded`) generates; the C++ of a stage's kernel and its schedule here tell the same story, and
`tests/hls/folded` compares the two iteration by iteration.
"""
