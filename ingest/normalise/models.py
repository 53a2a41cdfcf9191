"""Provider and models."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from ingest.normalise import aliases
from ingest.normalise.batch import Batch, overlay
from ingest.normalise.values import json_object

_MODEL_IN_JSON = ("llm.invocation_parameters", "embedding.invocation_parameters")


def request_model(batch: Batch) -> pa.StringArray:
    """The model asked for, from its keys, else from OpenInference's JSON of parameters."""
    column = batch.text(aliases.TEXTS["request_model"])
    if not batch.table.keys.present(_MODEL_IN_JSON):
        return column
    found = batch.table.first(_MODEL_IN_JSON)
    rows = [int(r) for r in np.nonzero(found >= 0)[0] if not column[int(r)].as_py()]
    models = [str(json_object(text).get("model") or "") for text in batch.table.text(found[rows]).to_pylist()]
    return overlay(column, rows, models)


def provider(batch: Batch, *models: pa.StringArray) -> pa.StringArray:
    """The provider in lower case: what the instrumentation says, unless that is a framework; else guessed from the model's name."""
    result = batch.labelled(aliases.PROVIDER, _provider)
    silent = np.nonzero(result.codes < 0)[0]
    if len(silent):
        for model in reversed(models):
            result.put(silent, model.take(pa.array(silent)), _by_model)
    return result.column()


def _provider(text: str) -> str | None:
    name = text.strip().lower()
    for suffix in (".chat", ".responses", ".embedding", ".completion", ".messages"):
        name = name.removesuffix(suffix)
    return None if name in aliases.NO_PROVIDER else name


def _by_model(model: str) -> str | None:
    if not model:
        return None
    name = model.lower()
    vendor, slash, rest = name.partition("/")
    if slash and rest and vendor.isidentifier():
        return vendor
    return next((owner for prefix, owner in aliases.MODEL_FAMILIES if name.startswith(prefix)), None)
