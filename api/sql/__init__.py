"""The one judge of SQL and of filter expressions, and the shapes in which rows are answered.

What a person writes is parsed by the engine's own parser, its tree is compared with allow-lists, and what runs is the text that the
engine prints of the judged tree: there is no second parser that could disagree with the first.
"""
