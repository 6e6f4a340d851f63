"""Demo data: the support desk of Halvik Home, a maker of household devices that does not exist.

Everything here was written for the demo and describes no real shop, product or customer. Three tasks of different kind:

- `intent`: which of eight teams should answer a message. Messages also mention what other teams do.
- `details`: order, item and wish of a message as JSON. Messages also mention other orders, items and numbers.
- `facts`: answers from Halvik's product sheet, which no language model can know. Held-out rows ask for the same
  facts in other words.

`python -m clm.demo.data FOLDER` writes the files; the same version of CLM always writes the same bytes.
"""

from clm.demo.data.generator import SIZES, TASKS, Example, demo_data, write

__all__ = ["SIZES", "TASKS", "Example", "demo_data", "write"]
