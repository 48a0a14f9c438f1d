"""What several kernels share: requantisation, sums of products with bias and PReLU, the sliding window."""

from pathlib import Path

FOLDER = Path(__file__).parent
COMMON_H, PRODUCTS_H, SLIDING_WINDOW_H = (FOLDER / f"{name}.h" for name in ("common", "products", "sliding_window"))
