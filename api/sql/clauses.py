"""The clauses of a SELECT: by node type, which keys may stand in it, and which node types there. Data, for `queries`.

Node types and keys are those of `parseQueryToJSON` of ClickHouse 26.9. What is missing here is refused.
"""

from __future__ import annotations

from collections.abc import Mapping

from api.sql.expressions import EXPRESSION, LIST, SCALAR, Group, Shape

SELECTS: Group = frozenset({"SelectWithUnionQuery", "SelectQuery"})
COLUMNS: Group = frozenset({
    "Asterisk", "QualifiedAsterisk", "ColumnsRegexpMatcher", "ColumnsListMatcher",
    "QualifiedColumnsRegexpMatcher", "QualifiedColumnsListMatcher",
})  # fmt: skip
ANY: Group = EXPRESSION | COLUMNS | {"Subquery", "QueryParameter"}
IDENTIFIER: Group = frozenset({"Identifier"})
TRANSFORMERS: Group = frozenset({"ColumnsTransformerList"})
ALIAS: Shape = {"alias": SCALAR}

SHAPES: Mapping[str, Shape] = {
    "ExpressionList": {"children": ANY | LIST | {"OrderByElement", "InterpolateElement", "WindowListElement"}},
    "Subquery": {"children": frozenset({"SelectWithUnionQuery"}), **ALIAS},
    "QueryParameter": {"name": SCALAR, "param_type": SCALAR, **ALIAS},
    "OrderByElement": {
        "direction": SCALAR, "nulls_direction": SCALAR, "nulls_direction_was_explicitly_specified": SCALAR, "with_fill": SCALAR,
        "expression": ANY, "collation": frozenset({"Literal"}), "fill_from": ANY, "fill_to": ANY, "fill_step": ANY,
        "fill_staleness": ANY,
    },
    "InterpolateElement": {"column": SCALAR, "expr": ANY},
    "WindowListElement": {"name": SCALAR, "definition": frozenset({"WindowDefinition"})},
    "WindowDefinition": {
        "parent_window_name": SCALAR, "partition_by": LIST, "order_by": LIST, "frame_is_default": SCALAR, "frame_type": SCALAR,
        "frame_begin_type": SCALAR, "frame_begin_preceding": SCALAR, "frame_begin_offset": ANY,
        "frame_end_type": SCALAR, "frame_end_preceding": SCALAR, "frame_end_offset": ANY,
    },
    "Asterisk": {"transformers": TRANSFORMERS},
    "QualifiedAsterisk": {"qualifier": IDENTIFIER, "transformers": TRANSFORMERS},
    "ColumnsRegexpMatcher": {"pattern": SCALAR, "transformers": TRANSFORMERS},
    "ColumnsListMatcher": {"column_list": LIST, "transformers": TRANSFORMERS},
    "QualifiedColumnsRegexpMatcher": {"pattern": SCALAR, "qualifier": IDENTIFIER, "transformers": TRANSFORMERS},
    "QualifiedColumnsListMatcher": {"qualifier": IDENTIFIER, "column_list": LIST, "transformers": TRANSFORMERS},
    "ColumnsTransformerList": {
        "children": frozenset({"ColumnsExceptTransformer", "ColumnsReplaceTransformer", "ColumnsApplyTransformer"})
    },
    "ColumnsExceptTransformer": {"children": IDENTIFIER, "pattern": SCALAR, "is_strict": SCALAR},
    "ColumnsReplaceTransformer": {"children": frozenset({"ColumnsReplaceTransformerReplacement"}), "is_strict": SCALAR},
    "ColumnsReplaceTransformerReplacement": {"name": SCALAR, "children": ANY},
    "TablesInSelectQuery": {"children": frozenset({"TablesInSelectQueryElement"})},
    "TablesInSelectQueryElement": {
        "table_join": frozenset({"TableJoin"}), "table_expression": frozenset({"TableExpression"}),
        "array_join": frozenset({"ArrayJoin"}),
    },
    "TableJoin": {
        "kind": SCALAR, "strictness": SCALAR, "locality": SCALAR, "using_expression_list": LIST, "on_expression": ANY,
    },
    "ArrayJoin": {"kind": SCALAR, "expression_list": LIST},
    "TableExpression": {
        "database_and_table_name": frozenset({"TableIdentifier"}), "subquery": frozenset({"Subquery"}),
        "table_function": frozenset({"Function"}), "column_aliases": LIST,
    },
    "SelectQuery": {
        "distinct": SCALAR, "group_by_with_totals": SCALAR, "group_by_with_rollup": SCALAR, "group_by_with_cube": SCALAR,
        "group_by_with_grouping_sets": SCALAR, "group_by_all": SCALAR, "order_by_all": SCALAR, "limit_with_ties": SCALAR,
        "limit_by_all": SCALAR, "recursive_with": SCALAR,
        "select": LIST, "group_by": LIST, "window": LIST, "order_by": LIST, "limit_by": LIST, "interpolate": LIST,
        "cte_aliases": LIST,
        "where": ANY, "having": ANY, "qualify": ANY, "limit_length": ANY, "limit_offset": ANY, "limit_by_length": ANY,
        "limit_by_offset": ANY,
        "tables": frozenset({"TablesInSelectQuery"}),
    },
    "SelectWithUnionQuery": {"union_mode": SCALAR, "list_of_modes": SCALAR},
    "WithElement": {"is_materialized": SCALAR, "subquery": frozenset({"Subquery"}), "aliases": LIST},
    "ColumnsApplyTransformer": {"func_name": SCALAR, "parameters": LIST, "lambda_arg": SCALAR, "column_name_prefix": SCALAR},
}  # fmt: skip
