"""Eyebright turns a folder of images into a recognition model that people can trust.

The names of the Python API stand in `__init__.pyi`; each is imported when it is first used, so that
`import eyebright` is quick.
"""

import lazy_loader

from eyebright.version import __version__ as __version__

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
