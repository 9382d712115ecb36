# SPDX-License-Identifier: BSD-3-Clause
"""In which cells collaborators have their cursors, whatever else is in the document."""

from pycrdt import Assoc, Awareness, Map
from replicas import EMPTY, Agent, Human, Room

from jupyter_agent_core._document.cursors import cursors_of

CELL = {"id": "one", "cell_type": "raw", "source": "one", "metadata": {}}


def test_a_cell_whose_source_nobody_can_type_in_hides_no_cursor() -> None:
    agent, human = Agent(), Human()
    room = Room(agent, human, content=EMPTY | {"cells": [CELL]})
    human.notebook.ycells.insert(0, Map({**CELL, "id": "odd", "source": "plain"}))
    room.settle()
    awareness = Awareness(human.ydoc)
    place = human.ycell("one")["source"].sticky_index(0, Assoc.BEFORE).to_json()
    awareness.set_local_state({"user": {"name": "Ada"}, "cursors": [{"head": place}]})
    update = awareness.encode_awareness_update([awareness.client_id])
    agent.document.awareness.apply_awareness_update(update, "remote")
    assert agent.ids == ["odd", "one"]
    assert cursors_of(agent.document) == [("Ada", "one")]
