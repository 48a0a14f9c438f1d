"""MobileFaceNet, float and quantised: table, number formats, Keras builder, checkpoints, footprint.

Way of the data: `mobilefacenet` (the table) <- `formats` <- `quantizers`, `layers` <- `builder`; `parameters` are the
numbers, `calibration` chooses exponents, `checkpoint` keeps all of it as integers.
"""
