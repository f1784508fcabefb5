"""The catalogue: every way a rollout is known to end, one entry each. Pure data.

The first entry whose evidence is due decides, so the exact ones stand before the general ones.
"""

from __future__ import annotations

from kubekit.rollout.catalogue.admission import ADMISSION
from kubekit.rollout.catalogue.applying import APPLYING
from kubekit.rollout.catalogue.crash import CRASH
from kubekit.rollout.catalogue.endings import ENDINGS
from kubekit.rollout.catalogue.image import IMAGE
from kubekit.rollout.catalogue.placing import PLACING
from kubekit.rollout.catalogue.probing import KILLS, PROBING
from kubekit.rollout.catalogue.services import SERVICES
from kubekit.rollout.catalogue.start import START
from kubekit.rollout.cause import Cause

CATALOGUE: tuple[Cause, ...] = (
    *IMAGE,
    *START,
    *KILLS,
    *CRASH,
    *PROBING,
    *PLACING,
    *ADMISSION,
    *SERVICES,
    *ENDINGS,
    *APPLYING,
)
CAUSES = {cause.id: cause for cause in CATALOGUE}
"""By id, which is unique."""
