"""What is said where too few seeds were run for any claim."""

from collections.abc import Callable, Mapping

from mimii.evaluation.seeds import LEAST_SEEDS
from mimii.launch.jobs import in_words
from mimii.planning.plan import Plan
from mimii.planning.variants import seeds_of

ENOUGH = 5


def too_few_seeds(
    plan: Plan,
    where: str = "`seeds: [{}]` in the configuration",
    separator: str = ", ",
    *,
    with_cost: bool = True,
    measure_speed: Callable[[], Mapping[str, float]] | None = None,
) -> str | None:
    """One line: why tables make no claim, and what more seeds would do and cost; None where there are enough.

    where: how seeds are set; it holds {} for them. with_cost: whether what they cost may be found out, for which
    recordings are opened. measure_speed: this machine's, where costs are to be its own. Both are done only where there
    is something to say.
    """
    models = dict.fromkeys(variant.model for variant in plan.variants)
    dependent = [model for model in models if len(seeds_of(model, [0, 1])) > 1]
    if len(plan.seeds) >= LEAST_SEEDS or not dependent:
        return None
    seeds = list(dict.fromkeys([*plan.seeds, *range(42, 42 + ENOUGH)]))[:ENOUGH]
    ran = f"{len(plan.seeds)} seed{'s' if len(plan.seeds) > 1 else ''}"
    names = ", ".join(dependent) if len(dependent) < 4 else f"the {len(dependent)} models that depend on it"
    total = 0.0
    if with_cost:
        from mimii.launch.costs import jobs_of_a_seed  # a plain snakemake, which says no cost, starts without these
        from mimii.launch.run import estimate_costs

        estimate = estimate_costs(plan, list(jobs_of_a_seed(plan)), measure_speed() if measure_speed else None)
        total = (len(seeds) - len(plan.seeds)) * estimate.total
    cost = f" (some {in_words(total)} of CPU time)" if total else ""
    return (
        f"With {ran}, tables make no claim about {names}: other seeds may change the ranking. "
        f"{where.format(separator.join(map(str, seeds)))} runs the missing ones{cost} and adds intervals over seeds."
    )
