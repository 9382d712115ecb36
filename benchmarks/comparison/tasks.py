# SPDX-License-Identifier: BSD-3-Clause
"""What is asked of each contender, and how its answers are checked."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import attrs

from .bare import Bare
from .contenders import Call, Tools
from .stdio import Answer

SIZES = (10, 1_000)
WORK, FLOOD, NEW = "work", "flood", "new"
TOGETHER = 20
LINES = 100_000
ONE = "1+1"
PRINT = f"for n in range({LINES}): print(n)"
PLOT = """
%matplotlib inline
import matplotlib.pyplot as plt
plt.imshow([[x * y % 17 for x in range(64)] for y in range(64)])
plt.show()
""".strip()

Cells = Sequence[dict[str, Any]]


@attrs.frozen
class Round:
    """One time that a task is done.

    Attributes:
        number: From 0 on.
        path: The notebook.
    """

    number: int
    path: str


@attrs.frozen(kw_only=True)
class Task:
    """One row of the table.

    Attributes:
        key: Its name in the data.
        title: Its name in the table.
        notebook: Which notebook it works on; `NEW` is another one in each round.
        rounds: How often it is done.
        timeout: Seconds that a round has.
        calls: The calls of one round, which are sent at once.
        wrong: What is wrong with the answers, or nothing.
        bare: The same by the bare protocol.
        document: Whether the notebook is right, after so many rounds.
    """

    key: str
    title: str
    notebook: str
    rounds: int
    timeout: float = 30.0
    calls: Callable[[Tools, Round], Sequence[Call]]
    wrong: Callable[[Tools, Round, Sequence[Answer]], str]
    bare: Callable[[Bare, Round], Awaitable[None]]
    document: Callable[[Cells, int], bool] = lambda cells, rounds: True


def problem(task: Task, tools: Tools, one: Round, answers: Sequence[Answer]) -> str:
    """What is wrong with the answers of a round, in a line, or nothing."""
    refusals = [answer.text for answer in answers if answer.refused]
    if refusals:
        return f"error: {shortened(refusals[0])}"
    return task.wrong(tools, one, answers)


def shortened(text: str, limit: int = 120) -> str:
    """The beginning of a text, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def size_of(notebook: str) -> int:
    """How many cells a notebook has at first."""
    return next((size for size in SIZES if notebook == f"cells{size}"), SIZES[0])


def _reads(size: int) -> list[Task]:
    def not_the_cell(tools: Tools, one: Round, answers: Sequence[Answer]) -> str:
        return _missing(answers[0], f"x = {size - 1}", "print(x)", "some text")

    def not_the_cells(tools: Tools, one: Round, answers: Sequence[Answer]) -> str:
        return _missing(answers[0], "x = 0", str(size))

    return [
        Task(
            key=f"read_cell_{size}",
            title=f"read a cell, of {size:,}",
            notebook=f"cells{size}",
            rounds=10,
            calls=lambda tools, one: [tools.read_cell(size - 1)],
            wrong=not_the_cell,
            bare=lambda bare, one: bare.read(one.path),
        ),
        Task(
            key=f"read_notebook_{size}",
            title=f"read a notebook of {size:,} cells",
            notebook=f"cells{size}",
            rounds=10,
            calls=lambda tools, one: [tools.read_notebook(one.path)],
            wrong=not_the_cells,
            bare=lambda bare, one: bare.read(one.path),
        ),
    ]


def _reads_together() -> Task:
    def others(tools: Tools, one: Round, answers: Sequence[Answer]) -> str:
        wrong = [n for n, answer in enumerate(answers) if f"x = {n}\n" not in _plain(answer)]
        return f"{len(wrong)} of {len(answers)} answers are not of their cell" if wrong else ""

    return Task(
        key="read_together",
        title=f"{TOGETHER} cells read at once, of 1,000",
        notebook="cells1000",
        rounds=3,
        timeout=60,
        calls=lambda tools, one: [tools.read_cell(index) for index in range(TOGETHER)],
        wrong=others,
        bare=lambda bare, one: bare.read(one.path),
    )


def _missing(answer: Answer, *parts: str) -> str:
    missing = [part for part in parts if part not in answer.text]
    return f"{missing[0]!r} is not in the answer" if missing else ""


def _plain(answer: Answer) -> str:
    """The text, with the line ends of JSON as line ends."""
    return answer.text.replace("\\n", "\n")


def _insert() -> Task:
    def text(number: int) -> str:
        return f"round {number} of inserting"

    return Task(
        key="insert",
        title="insert a cell",
        notebook=WORK,
        rounds=12,
        calls=lambda tools, one: [tools.insert(text(one.number))],
        wrong=lambda tools, one, answers: "",  # the document says it
        bare=lambda bare, one: bare.insert(f"inserted{one.number:08}"),
        document=lambda cells, rounds: (
            [cell["source"] for cell in cells if cell["source"].endswith("of inserting")]
            == list(map(text, range(rounds)))
        ),
    )


def _not_two(tools: Tools, one: Round, answers: Sequence[Answer]) -> str:
    output = tools.output(answers[0]).strip()
    return "" if output == "2" else f"the output is {shortened(output)!r}"


async def _insert_and_run(bare: Bare, one: Round, code: str) -> None:
    await bare.insert(f"run{one.number:013}")
    await bare.run(code)


def _runs() -> list[Task]:
    return [
        Task(
            key="run",
            title=f"execute a cell, `{ONE}`",
            notebook=WORK,
            rounds=12,
            calls=lambda tools, one: [tools.run(0, ONE)],
            wrong=_not_two,
            bare=lambda bare, one: bare.run(ONE),
        ),
        Task(
            key="insert_run",
            title=f"insert a cell and execute it, `{ONE}`",
            notebook=WORK,
            rounds=12,
            calls=lambda tools, one: [tools.insert_run(ONE)],
            wrong=_not_two,
            bare=lambda bare, one: _insert_and_run(bare, one, ONE),
            document=lambda cells, rounds: (
                sum(cell["source"] == ONE and "'2'" in str(cell["outputs"]) for cell in cells)
                >= rounds
            ),
        ),
        Task(
            key="execute_code",
            title=f"execute `{ONE}` without a cell",
            notebook=WORK,
            rounds=12,
            calls=lambda tools, one: [tools.execute(ONE)],
            wrong=_not_two,
            bare=lambda bare, one: bare.run(ONE),
        ),
    ]


def _runs_together() -> Task:
    def printed(number: int, index: int) -> str:
        return str(100_000 + TOGETHER * number + index)

    def others(tools: Tools, one: Round, answers: Sequence[Answer]) -> str:
        outputs = [tools.output(answer).strip() for answer in answers]
        wrong = [n for n, output in enumerate(outputs) if output != printed(one.number, n)]
        return f"{len(wrong)} of {len(answers)} answers are not of their cell" if wrong else ""

    async def in_turn(bare: Bare, one: Round) -> None:
        for index in range(TOGETHER):
            await bare.run(f"print({printed(one.number, index)})")

    def in_document(cells: Cells, rounds: int) -> bool:
        expected = {printed(n, index) for n in range(rounds) for index in range(TOGETHER)}
        ran = [cell["source"][6:-1] for cell in cells if cell["source"].startswith("print(1")]
        outputs = "".join(str(cell.get("outputs", "")) for cell in cells)
        return sorted(ran) == sorted(expected) and all(outputs.count(n) == 1 for n in expected)

    return Task(
        key="run_together",
        title=f"{TOGETHER} cells inserted and executed at once",
        notebook=WORK,
        rounds=3,
        timeout=60,
        calls=lambda tools, one: [
            tools.insert_run(f"print({printed(one.number, index)})") for index in range(TOGETHER)
        ],
        wrong=others,
        bare=in_turn,
        document=in_document,
    )


def _plot() -> Task:
    return Task(
        key="plot",
        title="insert a cell with a plot and execute it",
        notebook=WORK,
        rounds=5,
        calls=lambda tools, one: [tools.insert_run(PLOT)],
        wrong=lambda tools, one, answers: (
            "" if "image/png" in answers[0].images else "no image in the answer, only text"
        ),
        bare=lambda bare, one: _insert_and_run(bare, one, PLOT),
        document=lambda cells, rounds: (
            sum(cell["source"] == PLOT and "image/png" in str(cell["outputs"]) for cell in cells)
            == rounds
        ),
    )


def _flood() -> Task:
    return Task(
        key="flood",
        title=f"insert a cell that prints {LINES:,} lines and execute it",
        notebook=FLOOD,
        rounds=3,
        timeout=60,
        calls=lambda tools, one: [tools.insert_run(PRINT)],
        wrong=lambda tools, one, answers: _missing(answers[0], str(LINES - 1)),
        bare=lambda bare, one: _insert_and_run(bare, one, PRINT),
        document=lambda cells, rounds: (
            sum(
                cell["source"] == PRINT and f"{LINES - 1}" in str(cell["outputs"]) for cell in cells
            )
            == rounds
        ),
    )


def _use() -> Task:
    return Task(
        key="use",
        title="open a notebook of 10 cells, with a new kernel",
        notebook=NEW,
        rounds=4,
        calls=lambda tools, one: [tools.use(one.path)],
        wrong=lambda tools, one, answers: "",  # the tasks that follow say it
        bare=lambda bare, one: bare.use(one.path),
    )


TASKS: tuple[Task, ...] = (
    *(task for size in SIZES for task in _reads(size)),
    _reads_together(),
    _insert(),
    *_runs(),
    _runs_together(),
    _plot(),
    _use(),
)
FLOOD_TASK = _flood()
