"""Plans of quantizers on the command line: a name such as ternary, or a plan file."""

import os
from typing import TYPE_CHECKING, NamedTuple

from tervit_np.cli.options import Options

if TYPE_CHECKING:
    from tervit_np.models import Classifier
    from tervit_np.quant import Plan


def add_plan(options: Options, what: str) -> None:
    """Add --plan, which `chosen_plan` reads."""
    options.add_argument(
        "--plan",
        metavar="PLAN",
        help=f"{what}: float, int8, intN, ternary, others of docs/quantizers.md, or a plan file "
        "(docs/plans.md)",
    )


class ChosenPlan(NamedTuple):
    """A plan, and what named it."""

    text: str  # as given; "" for a plan that came with a model
    plan: "Plan"
    from_file: bool = False

    def check(self, model: "Classifier") -> None:
        """Raise ValueError if the plan is from a file and does not fit the model's layers."""
        from tervit_np.quant.plan_file import check_fits

        if self.from_file:
            try:
                check_fits(self.plan, model.quantizable(), model.norms())
            except ValueError as error:
                raise ValueError(f"{self.text}: {error}") from None

    def quantize(self, model: "Classifier") -> "Classifier":
        """Check the plan, quantize the model in place and return it."""
        from tervit_np.models import quantize

        self.check(model)
        return quantize(model, self.plan)


def is_plan_file(text: str) -> bool:
    """Tell whether a text is a path; no plan's name has a dot or a slash."""
    return any(sign in text for sign in (".", "/", os.sep))


def chosen_plan(text: str) -> ChosenPlan:
    """Look a plan up by name, or read it from a file.

    Raises
    ------
    ValueError
        If the name is unknown, or the file is missing or invalid.
    """
    from data_tools.paths import expand_user
    from tervit_np.quant.plan_file import read_plan_file
    from tervit_np.quant.plan_names import UnknownPlan, named_plan

    if is_plan_file(text):
        return ChosenPlan(text, read_plan_file(expand_user(text)), True)  # one of --stages, too
    try:
        return ChosenPlan(text, named_plan(text), False)
    except UnknownPlan as error:
        if error.suggests:
            raise
        raise ValueError(f"{error}, or a plan file, whose name ends in .toml") from None
