"""Export and import: parts, interruptions, batches."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from api.cli import export, import_files
from tests.unit.cli.conftest import Run
from tests.unit.cli.fake import Answer, Asked, Told, serving

NEXT = "X-Evalstream-Next-Cursor"


def rows(asked: Asked, total: int) -> tuple[list[dict[str, int]], dict[str, str]]:
    first, limit = int(asked.query.get("cursor", 0)), int(asked.query["limit"])
    end = min(first + limit, total)
    return [{"n": n} for n in range(first, end)], {NEXT: str(end)} if end < total else {}


def exporting(total: int, fails_at: int | None = None) -> Answer:
    """An export of so many rows; the part that begins at `fails_at` breaks in the middle, once."""
    broken = [fails_at]

    def answer(asked: Asked) -> Told:
        part, headers = rows(asked, total)
        if asked.query["format"] == "parquet":
            sink = io.BytesIO()
            pq.write_table(pa.Table.from_pylist(part), sink)
            content = sink.getvalue()
        else:
            content = "".join(json.dumps(row) + "\n" for row in part).encode()
        if part[0]["n"] == broken[0]:
            broken[0] = None
            headers["content-length"] = str(len(content) + 1)
        return Told(content=content, headers=headers)

    return answer


def read(file: Path) -> list[int]:
    if file.suffix == ".parquet":
        numbers: list[int] = pq.read_table(file)["n"].to_pylist()
        return numbers
    return [json.loads(line)["n"] for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "PART_ROWS", 10)
    monkeypatch.setattr(import_files, "_BATCH_ROWS", 10)


@pytest.mark.parametrize("name", ["spans.ndjson", "spans.parquet"])
def test_an_export_comes_in_parts_and_is_whole(name: str, run: Run, tmp_path: Path) -> None:
    with serving(exporting(35)) as fake:
        answer = run("export", "-o", name, "--filter", "cost > 1", "--last", "7d", "--url", fake.url)
    assert (answer.code, answer.err.startswith(f"wrote {name}")) == (0, True)
    assert read(tmp_path / name) == list(range(35))
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert len(fake.asked) == 4
    assert {asked.query["filter"] for asked in fake.asked} == {"cost > 1"}


@pytest.mark.parametrize("name", ["spans.ndjson", "spans.parquet"])
def test_an_interrupted_export_goes_on_and_repeats_nothing(name: str, run: Run, tmp_path: Path) -> None:
    with serving(exporting(35, fails_at=20)) as fake:
        broken = run("export", "-o", name, "--url", fake.url)
        assert (broken.code, (tmp_path / name).exists()) == (2, False)
        assert "broke" in broken.err
        assert run("export", "-o", name, "--resume", "--url", fake.url).code == 0
    assert read(tmp_path / name) == list(range(35))
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert [asked.query.get("cursor") for asked in fake.asked] == [None, "10", "20", "20", "30"]


@pytest.mark.parametrize("name", ["spans.ndjson", "spans.parquet"])
def test_an_interrupted_export_can_be_begun_anew(name: str, run: Run, tmp_path: Path) -> None:
    with serving(exporting(35, fails_at=20)) as fake:
        run("export", "-o", name, "--url", fake.url)
        assert run("export", "-o", name, "--url", fake.url).code == 0
    assert read(tmp_path / name) == list(range(35))


def test_resuming_needs_something_of_the_same_kind_to_resume(run: Run) -> None:
    with serving(exporting(35, fails_at=20)) as fake:
        assert "no interrupted export" in run("export", "-o", "a.ndjson", "--resume", "--url", fake.url).err
        run("export", "-o", "a.ndjson", "--url", fake.url)
        other = run("export", "-o", "a.ndjson", "--resume", "--project", "shop", "--url", fake.url)
    assert (other.code, "asked for something else" in other.err) == (2, True)


def test_a_folder_that_is_not_there_is_one_line(run: Run) -> None:
    with serving(exporting(5)) as fake:
        answer = run("export", "-o", "missing/spans.ndjson", "--url", fake.url)
    assert (answer.code, answer.err) == (
        2,
        "evalstream: cannot write missing/spans.ndjson: No such file or directory\n",
    )


def importing(taken: list[int], refuse: int = 0) -> Answer:
    """Takes spans; answers 503 so many times first."""
    left = [refuse]

    def answer(asked: Asked) -> Told:
        if left[0]:
            left[0] -= 1
            return Told({"detail": "busy"}, 503)
        if asked.headers["content-type"] == "application/x-ndjson":
            found = [json.loads(line)["n"] for line in asked.body.splitlines()]
        else:
            found = pq.read_table(io.BytesIO(asked.body))["n"].to_pylist()
        taken.extend(found)
        return Told({"accepted": len(found)}, 202)

    return answer


@pytest.mark.parametrize("name", ["spans.ndjson", "spans.parquet"])
def test_an_import_goes_in_batches_and_waits_for_a_busy_server(
    name: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_files, "_PAUSE_SECONDS", 0.01)
    if name.endswith("parquet"):
        pq.write_table(pa.table({"n": list(range(35))}), tmp_path / name)
    else:
        (tmp_path / name).write_text("\n".join(json.dumps({"n": n}) for n in range(35)), encoding="utf-8")
    taken: list[int] = []
    with serving(importing(taken, refuse=2)) as fake:
        answer = run("import", name, "--table", "scores", "--project", "shop", "--url", fake.url)
    assert (answer.code, answer.out) == (0, "imported 35 scores into shop\n")
    assert {one.query["table"] for one in fake.asked} == {"scores"}
    assert taken == list(range(35))
    assert len(fake.asked) == 4 + 2


def test_a_refused_part_is_placed(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_text("{}\n" * 25, encoding="utf-8")
    answers = iter([Told({"accepted": 10}, 202), Told({"detail": "none was taken", "errors": []}, 400)])
    with serving(lambda _: next(answers)) as fake:
        answer = run("import", "a.ndjson", "--url", fake.url)
    assert (answer.code, "none was taken (in the part that begins behind row 10" in answer.err) == (2, True)


@pytest.mark.parametrize(
    ("name", "said"), [("lost.ndjson", "No such file"), ("text.parquet", "is not a Parquet file")]
)
def test_a_file_that_cannot_be_read_is_one_line(name: str, said: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "text.parquet").write_text("text", encoding="utf-8")
    with serving(lambda _: Told(status=500)) as fake:
        answer = run("import", name, "--url", fake.url)
    assert (answer.code, said in answer.err, answer.err.count("\n")) == (2, True, 1)
