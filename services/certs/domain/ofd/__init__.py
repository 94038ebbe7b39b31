"""The layout document of a licence: a GB/T 33190 (OFD) package, the same bytes for the same licence.

The package is not sealed: it has no Signatures entry, the seal service adds that. The GB/T 36903
metadata stand in ``CustomDatas`` and, as JSON, in an attachment; both will be under the seal.
"""

from __future__ import annotations

from services.certs.domain.ofd.layout import SEAL_X_MM, SEAL_Y_MM
from services.certs.domain.ofd.package import Rendered, render

__all__ = ["SEAL_X_MM", "SEAL_Y_MM", "Rendered", "render"]
