# SPDX-License-Identifier: BSD-3-Clause
"""What a model would do that writes a cell, sees its error, mends it and looks at the plot."""

import attrs

FAILING = "import matplotlib.pyplot as plt\nplt.plot([1, 4, 9]); plt.title(titel)"
FINAL = "The plot shows three squares."


@attrs.frozen
class Step:
    """One call of a tool.

    Attributes:
        tool: The tool.
        arguments: Its arguments.
        seen: A text that the model is to see in the answer.
        images: How many images it is to see.
        error: Whether the call is refused.
    """

    tool: str
    arguments: dict[str, object]
    seen: str
    images: int = 0
    error: bool = False


def steps(path: str) -> list[Step]:
    """The calls of an agent that makes a notebook at a path."""
    use = {"notebook_name": "demo", "notebook_path": path, "mode": "create"}
    edit = {"cell_index": 0, "old_string": "titel", "new_string": "'squares'"}
    return [
        Step("use_notebook", use, "Notebook demo has 0 cells"),
        Step(
            "insert_execute_code_cell",
            {"cell_index": 0, "cell_source": FAILING},
            "NameError: name 'titel' is not defined",
            images=1,
        ),
        Step("edit_cell_source", {**edit, "cell_index": 7}, "out of range", error=True),
        Step("edit_cell_source", {**edit, "cell_idx": 0}, "no argument 'cell_idx'", error=True),
        Step("edit_cell_source", edit, "+plt.plot([1, 4, 9]); plt.title('squares')"),
        Step("execute_cell", {"cell_index": 0}, "ok", images=1),
    ]
