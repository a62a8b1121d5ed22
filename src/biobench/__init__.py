"""biobench: which frozen image model to trust on biological images.

Importing this package is free: neither torch nor polars is loaded until a part that needs it is.
"""

__version__ = "0.1.0"

__all__ = ["__version__"]
