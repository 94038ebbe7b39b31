"""What must hold across the whole catalogue; every breach is found, none hides another."""

from __future__ import annotations

from chassis.errors import Violation
from services.intake.domain.catalogue.model import Catalogue
from services.intake.domain.catalogue.rules.bundles import bundle_mistakes
from services.intake.domain.catalogue.rules.items import item_mistakes
from services.intake.domain.catalogue.rules.licences import licence_type_mistakes
from services.intake.domain.catalogue.rules.materials import material_mistakes, shared_material_mistakes
from services.intake.domain.catalogue.rules.offers import offer_mistakes
from services.intake.domain.catalogue.rules.places import place_mistakes
from services.intake.domain.catalogue.rules.products import product_mistakes


def catalogue_mistakes(catalogue: Catalogue) -> list[Violation]:
    """Return everything wrong with a catalogue; the paths name file and field."""
    found = [*place_mistakes(catalogue), *licence_type_mistakes(catalogue)]
    for item in catalogue.items.values():
        found += item_mistakes(catalogue, item)
        found += material_mistakes(catalogue, item)
        found += product_mistakes(catalogue, item)
    found += offer_mistakes(catalogue)
    found += shared_material_mistakes(catalogue)
    found += bundle_mistakes(catalogue)
    return found
