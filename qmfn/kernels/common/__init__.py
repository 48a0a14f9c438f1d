"""What several kernels share: requantisation, weighted sums with their finish, the sliding window."""

from pathlib import Path

FOLDER = Path(__file__).parent
COMMON_H, PRODUCTS_H, WINDOW_H = (FOLDER / f"folded_{name}.h" for name in ("common", "products", "window"))
