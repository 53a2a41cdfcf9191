"""A second reading of the OTLP mapping: slow, one span at a time, written from the documents and never from the product.

Where this package and the product disagree, one of them is wrong. `decode` turns request bodies into plain records,
`span` tells what one record means on its own, `trace` applies the rules that need the whole trace.
"""
