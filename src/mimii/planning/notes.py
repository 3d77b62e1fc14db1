"""What a person should know before a start, though it stops none: a line each."""

from collections.abc import Iterator

from mimii.detectors.declaration import model_declaration
from mimii.planning.other_recordings import describe_other_recordings
from mimii.planning.plan import Plan

MOST_SCOPES = 3


def notes_before_a_start(plan: Plan) -> list[str]:
    """All of these lines: other recordings under the same paths, too few classes."""
    others = describe_other_recordings(plan)
    return [*([others] if others else []), *few_classes(plan)]


def few_classes(plan: Plan) -> Iterator[str]:
    """Classifiers that have fewer sections to tell apart than they need classes.

    Only sections are counted: what attributes their clips have is not known before these are listed, in archives that
    may not be there yet.
    """
    variants = {(variant.model, variant.train_per): variant for variant in plan.variants}
    for (model, train_per), variant in variants.items():
        least = model_declaration(model).least_classes
        if least is None:  # most models: sections are not looked through for these
            continue
        counts = {
            scope: len(plan.sections_of_scope(variant, scope))
            for scope in dict.fromkeys(section.scope(train_per) for section in plan.sections)
        }
        few = [f"{count} in {scope}" for scope, count in counts.items() if count < least]
        if few:
            more = f" and so in {len(few) - MOST_SCOPES} more" if len(few) > MOST_SCOPES else ""
            wider = "" if train_per == "snr" else "; with train_per: snr it has the sections of all machines"
            yield (
                f"{model} (train_per: {train_per}) tells sections apart, and learns little from fewer than {least}: "
                f"{', '.join(few[:MOST_SCOPES])}{more}. Clips' attributes, where there are any, make more classes of "
                f"a section{wider}."
            )
