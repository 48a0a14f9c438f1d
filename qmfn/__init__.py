"""QMobileFaceNet on FPGAs: faces -> model -> hls -> report.

Imports go one way: config <- model <- hls <- estimate <- report <- vendor; faces and training stand beside.
"""

__version__ = "0.1.0"
