"""Every command: its name, what it does, where its code is, and its options. The parser and docs/reference/cli.md come from this table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from api.cli import arguments as a
from api.cli import options as o


@dataclass(frozen=True, slots=True)
class Command:
    """One command. `name` is what is typed (two words in a group), `run` the `module:function` below `api.cli` that takes the parsed
    options and returns the exit code; it is imported when the command runs.
    """

    name: str
    help: str
    run: str
    add: o.Add
    example: str = ""


_READS = o.combined(o.server, o.project, o.json_output)
_LIST = o.combined(o.window, o.page, _READS)
_FILTERED = o.combined(o.filtered, _LIST)
_SEARCHED = o.combined(o.filtered, o.searched, _LIST)

COMMANDS: tuple[Command, ...] = (
    Command(
        "up", "run everything in this process until Ctrl-C or SIGTERM", "serve:up", o.server_settings(),
        "evalstream up --data /var/lib/evalstream --host 0.0.0.0",
    ),
    Command(
        "serve sql", "serve only the SQL port, over a data folder that nothing else has open", "serve:sql",
        o.server_settings(o.SQL), "evalstream serve sql --data /var/lib/evalstream",
    ),
    Command(
        "demo", "start a server and send it the traffic of a small instrumented shop", "demo:demo", a.demo,
        "evalstream demo --detach --traces 500",
    ),
    Command(
        "migrate", "bring the data folder's databases to this version's tables", "serve:migrate",
        o.server_settings(("data_dir", "database_url")), "evalstream migrate --data /var/lib/evalstream",
    ),
    Command("doctor", "check whether a server could run here; exit 1 when something would stop it", "doctor:doctor",
            o.combined(o.json_output, o.server_settings()), "evalstream doctor"),
    Command("status", "counters of a project, and how far each worker is behind", "status:status", _READS, "evalstream status"),
    Command("reconcile", "prove the counters from the data; exit 1 when one does not hold", "reconcile:reconcile",
            o.combined(a.reconcile, _READS), "evalstream reconcile --project shop"),
    Command("traces", "list traces, newest first", "lists:traces", o.combined(a.follow, _SEARCHED),
            "evalstream traces --last 1h --filter \"kind = 'llm' and status = 'error'\""),
    Command("trace", "show one trace as a tree", "trace:trace", o.combined(a.trace, _READS),
            "evalstream trace 4bf92f3577b34da6a3ce929d0e0e4736 --full"),
    Command("spans", "list spans, newest first", "lists:spans", _SEARCHED, "evalstream spans --search 'refund policy'"),
    Command("sessions", "list sessions, newest first", "lists:sessions", _FILTERED, "evalstream sessions --last 7d"),
    Command("session", "show one session: its traces in order", "session:session", o.combined(a.session, o.page, _READS),
            "evalstream session 8c1f"),
    Command("users", "list users with what they used", "lists:users", _FILTERED, "evalstream users --last 7d"),
    Command("scores", "list scores, newest first", "lists:scores", o.combined(a.scores, _LIST), "evalstream scores --name faithfulness"),
    Command("logs", "list log records, newest first", "lists:logs", o.combined(a.logs, _FILTERED), "evalstream logs --last 15m"),
    Command("sql", "run one SELECT over spans, scores, logs, traces and sessions", "sql:sql", o.combined(a.sql, _READS),
            'evalstream sql "SELECT request_model, sum(total_tokens) FROM spans WHERE usage_counted GROUP BY 1"'),
    Command("dead-letters list", "list what could not be taken, newest first", "letters:listed",
            o.combined(a.letter_kind, _LIST), "evalstream dead-letters list --kind rejected"),
    Command("dead-letters show", "show one dead letter with its content", "letters:show", o.combined(a.letter, _READS),
            "evalstream dead-letters show 01J9"),
    Command("dead-letters replay", "send dead letters through again", "letters:replay", o.combined(a.letters, a.letter_kind, _READS),
            "evalstream dead-letters replay --all"),
    Command("dead-letters drop", "delete dead letters for good", "letters:drop",
            o.combined(a.letters, a.letter_kind, o.confirmed, _READS), "evalstream dead-letters drop 01J9 --yes"),
    Command("projects list", "list projects", "people:projects", o.combined(o.page, o.server, o.json_output), "evalstream projects list"),
    Command("projects create", "make a project", "people:create_project", o.combined(a.name, o.server, o.json_output),
            "evalstream projects create shop"),
    Command("keys list", "list API keys, without the keys themselves", "people:keys", o.combined(a.key_scope, o.server, o.json_output),
            "evalstream keys list"),
    Command("keys create", "make an API key and print it, once", "people:create_key",
            o.combined(a.name, a.key_scope, o.server, o.json_output), "evalstream keys create ci --project shop"),
    Command("keys revoke", "end an API key, within 60 s", "people:revoke_key", o.combined(a.key, a.key_scope, o.server, o.json_output),
            "evalstream keys revoke 01J9"),
    Command("groups list", "list the groups that read the event log, with what they have not read", "groups:listed",
            o.combined(o.server, o.json_output), "evalstream groups list"),
    Command("groups drop", "forget an idle group, so that what only it had not read can be trimmed", "groups:drop",
            o.combined(a.name, o.confirmed, o.server, o.json_output), "evalstream groups drop old-worker --yes"),
    Command("delete trace", "delete a trace for good; a late retry does not bring it back", "delete:trace",
            o.combined(a.trace_id, o.confirmed, _READS), "evalstream delete trace 4bf92f3577b34da6a3ce929d0e0e4736"),
    Command("export", "write a table to a file, of any age", "export:export",
            o.combined(a.export, o.filtered, o.any_window, o.server, o.project), "evalstream export --format parquet -o spans.parquet"),
    Command("import", "read an export back; what is there already is not counted twice", "import_files:import_file",
            o.combined(a.import_file, _READS), "evalstream import spans.parquet --project shop"),
)  # fmt: skip

GROUPS: Mapping[str, str] = MappingProxyType(
    {
        "serve": "one server in a process of its own",
        "dead-letters": "what could not be taken: look at it, replay it, drop it",
        "projects": "list and make projects",
        "keys": "list, make and revoke API keys",
        "groups": "the groups that read the event log: look at them, drop one that nobody runs",
        "delete": "delete telemetry",
    }
)
