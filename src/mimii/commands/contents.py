"""`python -m mimii check_dataset --content`: are the recordings those that the features were made of?"""

from collections.abc import Callable
from pathlib import Path

from mimii.common.errors import UserError
from mimii.data.same_recordings import note_same_recordings
from mimii.data.sections import Section
from mimii.features.contents import SectionContents
from mimii.features.file import ClipTable, read_table
from mimii.planning.plan import Plan


def check_contents(plan: Plan, say: Callable[[str], None] = print) -> int:
    """Read the recordings of every section of which there are features, and say which are others by now.

    Where they hold the same and are only listed otherwise (other times, after a copy), that is noted beside the
    features, and nothing is planned again. Returns how many sections hold other recordings or cannot be read.
    """
    sections = plan.trained_on(plan.variants)
    differing = 0
    for section in sections:
        try:
            same, text = compare_section(plan, section)
        except UserError as error:
            same, text = False, f"cannot be compared: {error}"
        say(f"{section}: {text}")
        differing += not same
    say(f"{len(sections)} section(s), {differing or 'none'} with other recordings than those of the features")
    return differing


def compare_section(plan: Plan, section: Section) -> tuple[bool, str]:
    """Whether a section's recordings hold what its features were made of, and what that means; notes it where needed.

    Raises UserError where the recordings or the features cannot be read.
    """
    tables = features_tables(plan, section)
    if not tables:
        return True, "no features yet, so there is nothing to compare with"
    contents = SectionContents(plan.source, section)
    equal = [table for table in tables.values() if contents.are_those_of(table)]
    listed = plan.listed(section)
    if len(equal) < len(tables):
        others = [file for file, table in tables.items() if table not in equal]
        if all(tables[file].metadata.recordings.listed != listed for file in others):
            return False, "other recordings than before; the next start makes again what was made of the former ones"
        return False, (
            "other recordings under the same names, with the same sizes and times, which the workflow cannot see; to "
            f"make again what was made of the former ones, add --forcerun {' '.join(others)} to your snakemake command"
        )
    before = [table.metadata.recordings.listed for table in equal]
    if listed in before:
        return True, "the recordings of which the features were made"
    note_same_recordings(plan.features_root, plan.source.fingerprint(section), before[0])
    return True, "the same recordings, with other times; noted, so that nothing runs again for that"


def features_tables(plan: Plan, section: Section) -> dict[str, ClipTable]:
    """What the features files of a section say, of all configured variants that have one, by path."""
    files = dict.fromkeys(plan.features_file(variant, section) for variant in plan.variants)
    return {file: read_table(file) for file in files if Path(file).exists()}
