"""A job without a user: the handbook is embedded again, in batches."""

from __future__ import annotations

from openinference.instrumentation import using_metadata

from api.demo.plan import Visit
from api.demo.retrieval import DIMENSIONS, EMBEDDING_MODEL
from api.demo.shop import HANDBOOK
from api.demo.stage import Scenario, Stage

BATCH = 7


def play(stage: Stage, _visit: Visit) -> None:
    """One run over all pages."""
    with (
        using_metadata({"feature": "indexing", "job": "reindex-handbook"}),
        stage.oi_tracer.start_as_current_span("reindex-handbook", openinference_span_kind="chain") as root,
    ):
        pages = [f"{page.title}: {page.text}" for page in HANDBOOK]
        for begin in range(0, len(pages), BATCH):
            batch = pages[begin : begin + BATCH]
            stage.openai.embeddings.create(
                model=EMBEDDING_MODEL, input=batch, dimensions=DIMENSIONS, encoding_format="float"
            )
            stage.clock.spend(0.03)
        root.set_output({"pages": len(pages), "dimensions": DIMENSIONS})


SCENARIO = Scenario("reindex_handbook", "shop-assistant", weight=0.15, turns=1, play=play)
